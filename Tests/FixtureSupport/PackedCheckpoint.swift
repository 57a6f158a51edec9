import Checkpoint
import Foundation
import JSON
import Numerics

/// An oracle's checkpoint whose matrices are quantised to integers: `packed` stores them in compressed-tensors' format,
/// `plain` stores the same values in F32. All other tensors are the same in both.
public struct PackedCheckpoint {
    public let packed, plain: TemporaryFolder

    /// - Parameters:
    ///   - scales: the type of the scales.
    ///   - isPacked: selects the matrices to pack; the others keep their type, except that FP8 becomes F32.
    public init(
        _ oracle: Oracle, _ scaling: GroupScaling, scales: ElementType = .f16,
        where isPacked: (_ name: String) -> Bool = { _ in true }
    ) throws {
        (packed, plain) = (try TemporaryFolder(), try TemporaryFolder())
        let folder = try oracle.folder()
        let source = try Checkpoint(.folder(folder))
        var tensors: (packed: [SafetensorsWriter.Tensor], plain: [SafetensorsWriter.Tensor]) = ([], [])
        for expected in WeightList(source.config, hasMTP: source.hasMTP) {
            guard let info = source[expected.name] else { continue }
            guard expected.isQuantisable, isPacked(info.name) || info.type == .fp8E4M3 else {
                let tensor = (info.name, info.shape, info.type, try Self.bytes(info, of: source))
                tensors.packed.append(tensor)
                tensors.plain.append(tensor)
                continue
            }
            let values = try Self.floats(info, of: source)
            if isPacked(info.name) {
                tensors.plain.append(Self.append(info, values, scaling, scales, to: &tensors.packed))
            } else {
                let tensor = (info.name, info.shape, ElementType.f32, Self.bytes(values))
                tensors.packed.append(tensor)
                tensors.plain.append(tensor)
            }
        }
        try SafetensorsWriter.write(tensors: tensors.packed, to: packed.path + "/model.safetensors")
        try SafetensorsWriter.write(tensors: tensors.plain, to: plain.path + "/model.safetensors")

        let json = try Data(contentsOf: URL(fileURLWithPath: folder + "/config.json"))
        guard case .object(let members) = try JSONValue(parsing: Array(json)) else {
            fatalError("\(folder): no config")
        }
        let rest = members.filter { $0.key != "quantization_config" }
        let quantization = JSONMember("quantization_config", Self.quantization(scaling))
        try Self.write(rest, to: plain)
        try Self.write(rest + [quantization], to: packed)
    }

    /// The `quantization_config` of Kimi-K2-Thinking, with changes.
    public static func quantization(
        _ scaling: GroupScaling, weights changes: [String: JSONValue] = [:], _ others: [String: JSONValue] = [:]
    ) -> JSONValue {
        var weights: [String: JSONValue] = [
            "actorder": nil, "block_structure": nil, "dynamic": false, "group_size": .init(scaling.groupSize),
            "num_bits": .init(scaling.bits), "observer": "minmax", "observer_kwargs": [:], "strategy": "group",
            "symmetric": true, "type": "int",
        ]
        weights.merge(changes) { $1 }
        let group: JSONValue = [
            "input_activations": nil, "output_activations": nil, "targets": ["Linear"],
            "weights": .object(weights.map { JSONMember($0.key, $0.value) }),
        ]
        var members: [String: JSONValue] = [
            "config_groups": ["group_0": group], "format": "pack-quantized", "kv_cache_scheme": nil,
            "ignore": ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*"], "quant_method": "compressed-tensors",
            "quantization_status": "compressed",
        ]
        members.merge(others) { $1 }
        return .object(members.map { JSONMember($0.key, $0.value) })
    }

    /// Adds the three tensors of a packed matrix to the packed checkpoint, and returns the F32 tensor of the same
    /// values.
    private static func append(
        _ info: TensorInfo, _ values: [Float], _ scaling: GroupScaling, _ scaleType: ElementType,
        to packed: inout [SafetensorsWriter.Tensor]
    ) -> SafetensorsWriter.Tensor {
        let (rows, columns) = (info.shape[0], info.shape[1])
        var words: [UInt32] = []
        var scaleCodes: [UInt16] = []
        var dequantised: [Float] = []
        for row in 0..<rows {
            guard let (codes, scales) = scaling.quantized(Array(values[row * columns..<(row + 1) * columns])) else {
                fatalError("\(info.name): not finite")
            }
            words += scaling.packed(codes)
            let rounded = scales.map(FP16.decode).map { scaleType == .bf16 ? BF16.decode(BF16.encode($0)) : $0 }
            scaleCodes += rounded.map(scaleType == .bf16 ? BF16.encode : FP16.encode)
            dequantised += codes.indices.map { Float(codes[$0]) * rounded[$0 / scaling.groupSize] }
        }
        packed += [
            (
                HuggingFaceNames().name(of: .packed, of: info.name), [rows, scaling.wordCount(columns)], .i32,
                bytes(words)
            ),
            (
                HuggingFaceNames().name(of: .groupScales, of: info.name), [rows, scaling.groupCount(columns)],
                scaleType, bytes(scaleCodes)
            ),
            (
                HuggingFaceNames().name(of: .packedShape, of: info.name), [2], .i64,
                bytes([Int64(rows), Int64(columns)])
            ),
        ]
        return (info.name, info.shape, .f32, bytes(dequantised))
    }

    private static func bytes(_ info: TensorInfo, of source: Checkpoint) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: info.byteCount)
        try bytes.withUnsafeMutableBytes { try source.read(info, into: $0) }
        return bytes
    }

    private static func bytes<Element: BitwiseCopyable>(_ values: [Element]) -> [UInt8] {
        values.withUnsafeBytes { Array($0) }
    }

    /// A matrix in BF16 or FP8.
    private static func floats(_ info: TensorInfo, of source: Checkpoint) throws -> [Float] {
        let codes = try bytes(info, of: source)
        guard info.type == .fp8E4M3, let scales = source[HuggingFaceNames().name(of: .blockScales, of: info.name)]
        else {
            precondition(info.type == .bf16, "\(info.name): \(info.type)")
            return codes.withUnsafeBytes { $0.bindMemory(to: UInt16.self).map(BF16.decode) }
        }
        let stored = try bytes(scales, of: source)
        let values =
            scales.type == .e8m0
            ? stored.map(E8M0.decode) : stored.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        return codes.withUnsafeBytes {
            BlockScaling.dequantized(codes: $0, scales: values, rows: info.shape[0], columns: info.shape[1])
        }
    }

    private static func write(_ config: [JSONMember], to folder: TemporaryFolder) throws {
        try Data(JSONValue.object(config).serialized().utf8).write(to: folder.url("config.json"))
    }
}
