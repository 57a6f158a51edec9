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

    /// Opens every file, and checks that it is whole and that together they hold the model that config.json describes.
    public init(_ source: CheckpointSource) throws(CheckpointError) {
        config = try ModelConfig(json: source.read("config.json"), name: source.path(of: "config.json"))
        let set = try ShardSet(source)
        if let first = set.problems.first { throw first.error }
        (shards, tensors) = (set.files, set.tensors)
        var notes = set.notes
        hasMTP = try WeightMap.validate(tensors, for: config, source: source.name, notes: &notes)
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

    /// One that is still to be written: it can be planned with, and not be read.
    init(planned tensors: [String: TensorInfo], configJSON: [UInt8], name: String) throws(CheckpointError) {
        config = try ModelConfig(json: configJSON, name: "\(name): config.json")
        var notes: [String] = []
        hasMTP = try WeightMap.validate(tensors, for: config, source: name, notes: &notes)
        (self.tensors, self.notes, shards) = (tensors, notes, [:])
    }

    /// Those that hold tensors.
    public var fileCount: Int { shards.count }

    public subscript(name: String) -> TensorInfo? { tensors[name] }

    /// Fills `destination` with a tensor's bytes, from its byte `offset` on.
    public func read(
        _ tensor: TensorInfo, offset: Int = 0, into destination: UnsafeMutableRawBufferPointer
    ) throws(CheckpointError) {
        guard let shard = shards[tensor.shard] else {
            throw CheckpointError(
                .refused, tensor.name, expected: "a tensor of this checkpoint", found: "one of \(tensor.shard)")
        }
        try shard.read(tensor, offset: offset, into: destination)
    }
}
