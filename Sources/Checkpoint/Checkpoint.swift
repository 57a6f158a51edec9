import JSON

/// A model's files, opened and checked: its config, and every tensor the model needs, readable from any thread.
///
/// ```swift
/// let checkpoint = try Checkpoint(.folder("models/DeepSeek-V3"))
/// let tensor = checkpoint["model.norm.weight"]!
/// try checkpoint.read(tensor, into: buffer)
/// ```
public final class Checkpoint: Sendable {
    public let config: ModelConfig
    /// What a user may want to know about the files though nothing is wrong with them.
    public let notes: [String]
    public let tensors: [String: TensorInfo]
    /// Whether the multi-token prediction layers are there.
    public let hasMTP: Bool
    private let shards: [String: SafetensorsFile]

    static let singleFile = "model.safetensors"
    static let indexFile = "model.safetensors.index.json"

    /// Opens every file, and checks that it is whole and that together they hold the model that config.json describes.
    public init(_ source: CheckpointSource) throws(CheckpointError) {
        config = try ModelConfig(json: source.read("config.json"), name: source.path(of: "config.json"))
        var notes: [String] = []
        let tensors: [String: TensorInfo]
        if source.exists(Self.singleFile) {
            let file = try SafetensorsFile(source, Self.singleFile)
            shards = [Self.singleFile: file]
            tensors = file.tensors
            if source.exists(Self.indexFile) {
                notes.append("\(Self.indexFile) is not used: \(Self.singleFile) is there")
            }
        } else if source.exists(Self.indexFile) {
            (shards, tensors) = try Self.openShards(source)
        } else {
            let isSplit = source.exists(SourceLayout.fileName)
            throw CheckpointError(
                source.name, expected: "\(Self.singleFile) or \(Self.indexFile)",
                found: isSplit ? "a checkpoint split for ranks" : "neither",
                advice: isSplit ? "put it together: fathom convert --merge" : "download the model's .safetensors files")
        }
        hasMTP = try WeightMap.validate(tensors, for: config, source: source.name, notes: &notes)
        self.tensors = tensors
        self.notes = notes
    }

    /// Opens one rank's part of a checkpoint that was split, and checks that it is all that the rank needs. Names are the
    /// whole model's; shapes are the part's.
    public init(_ source: CheckpointSource, rank: Rank) throws(CheckpointError) {
        config = try ModelConfig(json: source.read("config.json"), name: source.path(of: "config.json"))
        let file = try SafetensorsFile(source, rank.fileName)
        var notes: [String] = []
        let whole = try RankSplit(config, count: rank.count).whole(file.tensors, of: rank)
        hasMTP = try WeightMap.validate(
            whole, for: config, source: source.path(of: rank.fileName), notes: &notes)
        shards = [rank.fileName: file]
        tensors = file.tensors
        self.notes = notes
    }

    public subscript(name: String) -> TensorInfo? { tensors[name] }

    /// Fills `destination` with a tensor's bytes, from its byte `offset` on.
    public func read(
        _ tensor: TensorInfo, offset: Int = 0, into destination: UnsafeMutableRawBufferPointer
    ) throws(CheckpointError) {
        guard let shard = shards[tensor.shard] else {
            throw CheckpointError(tensor.name, expected: "a tensor of this checkpoint", found: "one of \(tensor.shard)")
        }
        try shard.read(tensor, offset: offset, into: destination)
    }

    // MARK: Shards

    private static func openShards(
        _ source: CheckpointSource
    ) throws(CheckpointError) -> (shards: [String: SafetensorsFile], tensors: [String: TensorInfo]) {
        let name = source.path(of: indexFile)
        let map = try readIndex(source.read(indexFile), name: name)
        var shards: [String: SafetensorsFile] = [:]
        var tensors = [String: TensorInfo](minimumCapacity: map.count)
        for shard in Set(map.values).sorted() {
            let file = try SafetensorsFile(source, shard)
            shards[shard] = file
            for (tensor, info) in file.tensors {
                guard map[tensor] == shard else {
                    throw CheckpointError(
                        "\(source.path(of: shard)): \(tensor)",
                        expected: "a tensor that \(indexFile) places in this file",
                        found: map[tensor].map { "\($0) named instead" } ?? "no such entry",
                        advice: "the files are from different versions: download them again")
                }
                tensors[tensor] = info
            }
        }
        if tensors.count < map.count, let missing = map.keys.filter({ tensors[$0] == nil }).min() {
            throw CheckpointError(
                "\(source.path(of: map[missing] ?? ""))", expected: "the tensor \(missing), as \(indexFile) says",
                found: "no such tensor, and \(map.count - tensors.count - 1) more missing",
                advice: "the files are from different versions: download them again")
        }
        return (shards, tensors)
    }

    /// The index's map from tensors to files, which must be files of the same folder.
    private static func readIndex(_ json: [UInt8], name: String) throws(CheckpointError) -> [String: String] {
        try readingJSON { () throws(JSONError) in
            let root = try JSONField(parsing: json, name: name)
            var map: [String: String] = [:]
            for (tensor, field) in try root["weight_map"].object() {
                let shard = try field.string()
                guard shard.hasSuffix(".safetensors"), !shard.hasPrefix("."),
                    shard.utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\\") })
                else { throw field.error(expected: "the name of a .safetensors file in the same folder") }
                guard map.updateValue(shard, forKey: tensor) == nil else {
                    throw field.error(expected: "each tensor once", found: "the key twice")
                }
            }
            guard !map.isEmpty else { throw try root["weight_map"].error(expected: "tensors") }
            return map
        }
    }
}
