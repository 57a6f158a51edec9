import Checkpoint
import Foundation
import JSON
import Numerics

/// A published model's checkpoint with all tensors at their published shapes, in sparse files: they read as zeros and
/// take no disk space. Removed with its last reference.
public final class SparseCheckpoint {
    public let path: String
    public private(set) var shardCount = 0
    public private(set) var tensorCount = 0
    private let folder: TemporaryFolder

    /// - Parameters:
    ///   - model: a name for `ModelConfig.known`.
    ///   - shardByteCount: approximate size of a file.
    public init(_ model: String, predictionLayers: Int = 0, shardByteCount: Int = 4_300_000_000) throws {
        folder = try TemporaryFolder()
        path = folder.path
        guard let json = ModelConfig.knownJSON(model), case .object(var members) = try JSONValue(parsing: json) else {
            preconditionFailure("\(model) is no known model")
        }
        members.append(JSONMember("num_nextn_predict_layers", .init(predictionLayers)))
        let text = Array(JSONValue.object(members).serialized().utf8)
        try Data(text).write(to: folder.url("config.json"))

        let config = try ModelConfig(json: text, name: model)
        var tensors: [TensorInfo] = []
        for tensor in WeightList(config, hasMTP: predictionLayers > 0) {
            let isFP8 = config.isFP8 && tensor.isQuantisable
            tensors.append(TensorInfo(name: tensor.name, type: isFP8 ? .fp8E4M3 : .bf16, shape: tensor.shape))
            guard isFP8 else { continue }
            tensors.append(
                TensorInfo(
                    name: HuggingFaceNames().name(of: .blockScales, of: tensor.name), type: .f32,
                    shape: tensor.shape.map(BlockScaling.blockCount)))
        }
        tensorCount = tensors.count
        var shards: [[TensorInfo]] = []
        var byteCount = Int.max
        for tensor in tensors {
            if byteCount >= shardByteCount {
                shards.append([])
                byteCount = 0
            }
            shards[shards.count - 1].append(tensor)
            byteCount += tensor.byteCount
        }
        shardCount = shards.count
        var map: [JSONMember] = []
        for (index, shard) in shards.enumerated() {
            func number(_ value: Int) -> String { String("0000\(value)".suffix(5)) }
            let name = "model-\(number(index + 1))-of-\(number(shards.count)).safetensors"
            try write(shard, to: folder.path + "/" + name)
            map += shard.map { JSONMember($0.name, .string(name)) }
        }
        let index = JSONValue.object([JSONMember("weight_map", .object(map))]).serialized(pretty: true)
        try Data(index.utf8).write(to: folder.url("model.safetensors.index.json"))
    }

    private func write(_ tensors: [TensorInfo], to path: String) throws {
        var offset = 0
        let entries = tensors.map { tensor -> String in
            defer { offset += tensor.byteCount }
            return "\"\(tensor.name)\":{\"dtype\":\"\(tensor.type)\",\"shape\":\(tensor.shape),"
                + "\"data_offsets\":[\(offset),\(offset + tensor.byteCount)]}"
        }
        let header = Array("{\(entries.joined(separator: ","))}".utf8)
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
        try Data(length + header).write(to: URL(fileURLWithPath: path))
        guard truncate(path, off_t(8 + header.count + offset)) == 0 else {
            throw FixtureError(path: path, status: errno)
        }
    }
}
