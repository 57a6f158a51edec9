/// One thing that is wrong with a checkpoint's files.
public struct CheckpointProblem: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        /// A file or a tensor that should be there is not.
        case missing
        /// A file or a tensor that should not be there is.
        case extra
        /// A tensor has another shape or type than config.json calls for, or is in another file than the index says.
        case different
        /// A file's bytes are not what they should be.
        case damaged
    }

    /// Elements that no weight may be.
    public struct BadElements: Sendable, Equatable {
        /// Where the first one is, an index for each dimension.
        public var first: [Int]
        public var count: Int
    }

    public var kind: Kind
    /// The file that it is in, or should be in.
    public var file: String?
    public var tensor: String?
    /// The whole of it, for people.
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
