/// One thing that is wrong with a checkpoint's files.
public struct CheckpointProblem: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        /// An expected file or tensor is absent.
        case missing
        /// A file or tensor is there that nothing calls for.
        case extra
        /// A tensor has another shape or type than config.json calls for, or is in another file than the index says.
        case different
        /// A file's bytes are wrong or cannot be read.
        case damaged
    }

    /// Elements with values that no weight may have.
    public struct BadElements: Sendable, Equatable {
        /// The first one's index in each dimension.
        public var first: [Int]
        public var count: Int
    }

    public var kind: Kind
    /// The file that the problem is in, or that an absent tensor should be in.
    public var file: String?
    public var tensor: String?
    /// The problem in words.
    public var error: CheckpointError
    public var badElements: BadElements?

    public init(
        _ kind: Kind, file: String? = nil, tensor: String? = nil, _ error: CheckpointError,
        badElements: BadElements? = nil
    ) {
        self.kind = kind
        self.file = file
        self.tensor = tensor
        self.error = error
        self.badElements = badElements
    }
}
