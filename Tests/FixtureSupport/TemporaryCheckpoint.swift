import Foundation

/// A copy of an oracle's checkpoint, for tests that change its config or a tensor's bytes. Removed with its last
/// reference.
public final class TemporaryCheckpoint {
    public let path: String

    public init(_ oracle: Oracle, config edit: (inout [String: Any]) -> Void = { _ in }) throws {
        let files = FileManager.default
        let source = try oracle.folder()
        path = files.temporaryDirectory.appendingPathComponent("fathom-\(UUID().uuidString)").path
        try files.copyItem(atPath: source, toPath: path)
        let url = URL(fileURLWithPath: path + "/config.json")
        var config = try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as! [String: Any]
        edit(&config)
        try JSONSerialization.data(withJSONObject: config).write(to: url)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Adds a shard for each of these tensors, which hold one FP32 zero, and enters them into the index.
    public func add(_ tensors: [(name: String, shard: String)]) throws {
        let index = URL(fileURLWithPath: path + "/model.safetensors.index.json")
        var document = try JSONSerialization.jsonObject(with: Data(contentsOf: index)) as! [String: Any]
        var map = document["weight_map"] as! [String: String]
        for (name, shard) in tensors {
            map[name] = shard
            let header = try JSONSerialization.data(withJSONObject: [
                name: ["dtype": "F32", "shape": [1], "data_offsets": [0, 4]]
            ])
            let length = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) }
            try (length + header + Data(count: 4)).write(to: URL(fileURLWithPath: path + "/" + shard))
        }
        document["weight_map"] = map
        try JSONSerialization.data(withJSONObject: document).write(to: index)
    }

    /// Overwrites a tensor's bytes from `offset` on. Finds the shard that has the tensor.
    public func overwrite(_ tensor: String, at offset: Int, with bytes: [UInt8]) throws {
        try Self.overwrite(tensor, at: offset, with: bytes, in: path)
    }

    /// The same for the checkpoint in the folder `path`.
    public static func overwrite(_ tensor: String, at offset: Int, with bytes: [UInt8], in path: String) throws {
        for file in try FileManager.default.contentsOfDirectory(atPath: path) where file.hasSuffix(".safetensors") {
            let url = URL(fileURLWithPath: path + "/" + file)
            var data = try Data(contentsOf: url)
            let length = Int(data.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
            let header = try JSONSerialization.jsonObject(with: data[8..<8 + length]) as! [String: [String: Any]]
            guard let offsets = header[tensor]?["data_offsets"] as? [Int] else { continue }
            precondition(offset + bytes.count <= offsets[1] - offsets[0])
            let start = 8 + length + offsets[0] + offset
            data.replaceSubrange(start..<start + bytes.count, with: bytes)
            try data.write(to: url)
            return
        }
        fatalError("no tensor \(tensor) in \(path)")
    }
}
