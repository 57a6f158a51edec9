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
    /// Those that the config calls for, with the multi-token prediction layers where the files hold them.
    public let weights: WeightList
    private let shards: [String: SafetensorsFile]

    /// Opens every file, and checks that it is whole and that together they hold the model that config.json describes.
    public init(_ source: CheckpointSource) throws(CheckpointError) {
        config = try ModelConfig(json: source.read("config.json"), name: source.path(of: "config.json"))
        let set = try ShardSet(source)
        if let first = set.problems.first { throw first.error }
        (shards, tensors) = (set.files, set.tensors)
        var notes = set.notes
        weights = try WeightList.checked(tensors, for: config, source: source.name, notes: &notes)
        self.notes = notes
    }

    /// Opens one rank's part of a checkpoint that was split, and checks that it is all that the rank needs. Names are the
    /// whole model's; shapes are the part's.
    public init(_ source: CheckpointSource, rank: Rank) throws(CheckpointError) {
        config = try ModelConfig(json: source.read("config.json"), name: source.path(of: "config.json"))
        let file = try SafetensorsFile(source, rank.fileName)
        var notes: [String] = []
        let split = try RankSplit(WeightList(config, hasMTP: true), count: rank.count)
        weights = try WeightList.checked(
            split.whole(file.tensors, of: rank), for: config, source: source.path(of: rank.fileName), notes: &notes)
        shards = [rank.fileName: file]
        tensors = file.tensors
        self.notes = notes
    }

    /// One that is still to be written: it can be planned with, and not be read.
    init(planned tensors: [String: TensorInfo], configJSON: [UInt8], name: String) throws(CheckpointError) {
        config = try ModelConfig(json: configJSON, name: "\(name): config.json")
        var notes: [String] = []
        weights = try WeightList.checked(tensors, for: config, source: name, notes: &notes)
        (self.tensors, self.notes, shards) = (tensors, notes, [:])
    }

    /// Those that hold tensors.
    public var fileCount: Int { shards.count }

    /// Whether the multi-token prediction layers are there.
    public var hasMTP: Bool { weights.hasMTP }

    public subscript(name: String) -> TensorInfo? { tensors[name] }

    /// How the files store a weight; nil where they do not.
    public func stored(_ role: WeightRole) -> StoredWeight? {
        weights[role].flatMap { weights.stored($0, in: tensors) }
    }

    /// Fills `destination` with a tensor's bytes, from its byte `offset` on.
    public func read(
        _ tensor: TensorInfo, offset: Int = 0, into destination: UnsafeMutableRawBufferPointer
    ) throws(CheckpointError) {
        guard let shard = shards[tensor.shard] else {
            throw CheckpointError(tensor.name, expected: "a tensor of this checkpoint", found: "one of \(tensor.shard)")
        }
        try shard.read(tensor, offset: offset, into: destination)
    }
}
