/// An open, checked checkpoint: the model's config and all its tensors. Any thread may read it.
///
/// ```swift
/// let checkpoint = try Checkpoint(.folder("models/DeepSeek-V3"))
/// let tensor = checkpoint["model.norm.weight"]!
/// try checkpoint.read(tensor, into: buffer)
/// ```
public final class Checkpoint: Sendable {
    public let config: ModelConfig
    /// Remarks on the files for the user that are not errors.
    public let notes: [String]
    public let tensors: [String: TensorInfo]
    /// The weights that the config demands, with the multi-token prediction layers if the files hold them.
    public let weights: WeightList
    private let shards: [String: SafetensorsFile]

    /// Opens all files. Throws if one is damaged, or if they do not contain the model that config.json describes.
    public init(_ source: CheckpointSource) throws(CheckpointError) {
        config = try ModelConfig(json: source.read("config.json"), name: source.path(of: "config.json"))
        let set = try ShardSet(source)
        if let first = set.problems.first { throw first.error }
        (shards, tensors) = (set.files, set.tensors)
        var notes = set.notes
        weights = try WeightList.checked(tensors, for: config, source: source.name, notes: &notes)
        self.notes = notes
    }

    /// Opens one rank's file of a split checkpoint. Throws unless it has all tensors that the rank needs. Names are
    /// the names in the whole model; shapes are the shapes of the rank's parts.
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

    /// A checkpoint that is not written yet: its tensors can be planned with, but not read.
    init(planned tensors: [String: TensorInfo], configJSON: [UInt8], name: String) throws(CheckpointError) {
        config = try ModelConfig(json: configJSON, name: "\(name): config.json")
        var notes: [String] = []
        weights = try WeightList.checked(tensors, for: config, source: name, notes: &notes)
        (self.tensors, self.notes, shards) = (tensors, notes, [:])
    }

    /// Number of files with tensors.
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
            throw CheckpointError(
                .refused, tensor.name, expected: "a tensor of this checkpoint", found: "one of \(tensor.shard)")
        }
        try shard.read(tensor, offset: offset, into: destination)
    }
}
