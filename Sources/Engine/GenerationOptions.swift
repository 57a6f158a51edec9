/// How an answer is generated, and where it ends.
public struct GenerationOptions: Sendable, Equatable {
    public var sampling: SamplingOptions
    /// The answer ends before the first of these in its text.
    public var stopStrings: [String]
    /// The answer ends at the first of these tokens, which belongs to neither its tokens nor its text: the model's end tokens.
    public var stopTokens: Set<Int32>
    /// The answer's most tokens; nil: until the context is full.
    public var maxNewTokens: Int?

    public init(
        sampling: SamplingOptions = .greedy, stopStrings: [String] = [], stopTokens: Set<Int32> = [],
        maxNewTokens: Int? = nil
    ) {
        self.sampling = sampling
        self.stopStrings = stopStrings
        self.stopTokens = stopTokens
        self.maxNewTokens = maxNewTokens
    }

    /// Throws `.option` for the first value outside its range.
    public func validate() throws(GenerationError) {
        try sampling.validate()
        for text in stopStrings {
            try require(!text.isEmpty, "stop", "a text of at least one character", "an empty one")
        }
        if let maxNewTokens { try require(maxNewTokens >= 1, "max-new-tokens", "1 or more", maxNewTokens) }
    }
}
