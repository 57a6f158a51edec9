import Files
import FixtureSupport
import Foundation
import Glibc
import JSON
import Numerics
import Synchronization
import Testing

@testable import Checkpoint

/// Small checkpoints to convert, and access to the results.
enum Conversions {
    /// Sizes that two ranks can share in whole blocks of 128.
    static let even: [String: JSONValue] = [
        "hidden_size": 128, "intermediate_size": 256, "moe_intermediate_size": 256, "q_lora_rank": 128,
        "kv_lora_rank": 128, "qk_nope_head_dim": 128, "qk_rope_head_dim": 128, "v_head_dim": 128,
    ]

    /// A checkpoint in a temporary folder, FP8 or BF16.
    static func folder(_ changes: [String: JSONValue] = even, isFP8: Bool) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        var tiny = try TinyCheckpoint(changes)
        if !isFP8 {
            tiny.config["quantization_config"] = nil
            for (name, tensor) in tiny.tensors where tensor.type == .fp8E4M3 {
                tiny.tensors[name] = (tensor.shape, .bf16)
                tiny.tensors[HuggingFaceNames().name(of: .blockScales, of: name)] = nil
            }
        }
        try tiny.open { path in
            for file in try FileManager.default.contentsOfDirectory(atPath: path) {
                try FileManager.default.copyItem(atPath: "\(path)/\(file)", toPath: "\(folder.path)/\(file)")
            }
        }
        try Data("{}".utf8).write(to: folder.url("tokenizer.json"))
        return folder
    }

    /// Converts into a new folder in `parent`.
    @discardableResult
    static func convert(
        _ source: String, _ options: ConversionOptions, into target: String, threadCount: Int = 2
    ) throws -> ConversionResult {
        try ConversionPlan(ConversionSource(folder: source), options).run(into: target, threadCount: threadCount)
    }

    static func bytes(_ name: String, of folder: String) throws -> [UInt8] {
        let source = CheckpointSource.folder(folder)
        for file in try FileManager.default.contentsOfDirectory(atPath: folder) where file.hasSuffix(".safetensors") {
            let opened = try SafetensorsFile(source, file)
            if let tensor = opened[name] { return try opened.bytes(tensor) }
        }
        throw CheckpointError(.missing, folder, expected: name, found: "no such tensor")
    }

    /// A folder's files: names and contents.
    static func files(_ folder: String) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for file in try FileManager.default.contentsOfDirectory(atPath: folder) {
            files[file] = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(file)"))
        }
        return files
    }

    /// A matrix's weights in FP32, by the definition in Numerics.
    static func weights(_ tensor: TensorInfo, of checkpoint: Checkpoint) throws -> [Float] {
        func read(_ tensor: TensorInfo) throws -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: tensor.byteCount)
            try bytes.withUnsafeMutableBytes { try checkpoint.read(tensor, into: $0) }
            return bytes
        }
        let codes = try read(tensor)
        return try codes.withUnsafeBytes { raw in
            if tensor.type == .bf16 {
                return (0..<tensor.elementCount).map {
                    BF16.decode(raw.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))
                }
            }
            let info = try #require(checkpoint[HuggingFaceNames().name(of: .blockScales, of: tensor.name)])
            let scales = try read(info).withUnsafeBytes { scales in
                (0..<info.elementCount).map {
                    info.type == .e8m0
                        ? E8M0.decode(scales[$0])
                        : Float(bitPattern: scales.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))
                }
            }
            return BlockScaling.dequantized(
                codes: raw, scales: scales, rows: tensor.shape[0], columns: tensor.shape[1])
        }
    }
}

/// Makes file operations fail after a number of them, as a signal or a full disk would.
final class Faults: Sendable {
    private let state = Mutex((count: 0, isDead: false))
    private let limit: Int
    private let code: CInt
    /// Whether all operations after the first fault fail too.
    private let staysDead: Bool

    init(after limit: Int, code: CInt = EIO, staysDead: Bool = true) {
        self.limit = limit
        self.code = code
        self.staysDead = staysDead
    }

    var count: Int { state.withLock { $0.count } }

    var files: ConversionFiles { ConversionFiles(FaultyStorage(self)) }

    /// Counts an operation; the fault if it is to fail, and a number to choose how much of a write is done.
    fileprivate func next() -> (error: SystemError, isFirst: Bool, number: Int)? {
        state.withLock { state in
            state.count += 1
            guard state.isDead ? staysDead : state.count > limit else { return nil }
            defer { state.isDead = true }
            return (SystemError(code: code), !state.isDead, state.count)
        }
    }
}

/// The system's files, some of whose operations fail.
private struct FaultyStorage: ConversionStorage {
    let faults: Faults
    let system = SystemStorage()

    init(_ faults: Faults) { self.faults = faults }

    private func check() throws(SystemError) { if let fault = faults.next() { throw fault.error } }

    func makeFolder(_ path: String) throws(SystemError) {
        try check()
        try system.makeFolder(path)
    }

    func create(_ path: String) throws(SystemError) -> Descriptor {
        try check()
        return try system.create(path)
    }

    /// The last write may have been under way.
    func write(_ bytes: UnsafeRawBufferPointer, to file: Descriptor, at offset: Int) throws(SystemError) {
        guard let fault = faults.next() else { return try system.write(bytes, to: file, at: offset) }
        let count = fault.isFirst ? bytes.count * (fault.number % 3) / 2 : 0
        try system.write(UnsafeRawBufferPointer(rebasing: bytes[..<count]), to: file, at: offset)
        throw fault.error
    }

    func store(_ file: Descriptor) throws(SystemError) {
        try check()
        try system.store(file)
    }

    func storeFolder(_ path: String) throws(SystemError) {
        try check()
        try system.storeFolder(path)
    }

    func rename(_ path: String, to target: String) throws(SystemError) {
        try check()
        try system.rename(path, to: target)
    }

    func remove(_ path: String) throws(SystemError) {
        try check()
        try system.remove(path)
    }
}
