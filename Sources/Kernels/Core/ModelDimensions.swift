import GPU

/// The dimensions of a model and of the steps that it is measured with: all that a kernel needs to know for its shapes there.
public struct ModelDimensions: Sendable {
    /// A product of activations with a whole weight: `[T, columns]` to `[T, rows]`.
    public struct Product: Sendable {
        public var name: String
        public var rows, columns: Int
        public var format: WeightFormat
        /// Whether only decode steps compute it.
        public var isDecodeOnly: Bool

        public init(_ name: String, from columns: Int, to rows: Int, _ format: WeightFormat, isDecodeOnly: Bool = false)
        {
            self.name = name
            self.rows = rows
            self.columns = columns
            self.format = format
            self.isDecodeOnly = isDecodeOnly
        }
    }

    /// The routed experts.
    public struct Experts: Sendable {
        public var count, intermediateSize: Int
        public var rule: GateRule

        public init(count: Int, intermediateSize: Int, rule: GateRule) {
            self.count = count
            self.intermediateSize = intermediateSize
            self.rule = rule
        }

        /// Experts of a bank that is made for a measurement. The bytes that a token's experts need do not depend on how many
        /// others there are, and these would only take memory.
        var sampledCount: Int { min(count, max(16, 2 * rule.topK)) }
    }

    public var hiddenSize, intermediateSize, vocabularySize: Int
    public var attention: MLAShape
    /// The ε of the norms.
    public var epsilon: Float
    /// The format of the layers' weights; embedding, router and head are BF16.
    public var format: WeightFormat
    public var products: [Product]
    /// Nil for a dense model.
    public var experts: Experts?
    /// Sequences of a decode step, and tokens of a prefill step, which has one sequence.
    public var batchCount, prefillTokenCount: Int
    /// Tokens of a sequence at the end of the step.
    public var contextLength: Int
    /// Heads whose keys and values a prefill expands at once; nil where it attends in absorbed form only.
    public var expandedHeads: Int?

    public init(
        hiddenSize: Int, intermediateSize: Int, vocabularySize: Int, attention: MLAShape, epsilon: Float,
        format: WeightFormat, products: [Product], experts: Experts?, batchCount: Int, prefillTokenCount: Int,
        contextLength: Int, expandedHeads: Int?
    ) {
        self.hiddenSize = hiddenSize
        self.intermediateSize = intermediateSize
        self.vocabularySize = vocabularySize
        self.attention = attention
        self.epsilon = epsilon
        self.format = format
        self.products = products
        self.experts = experts
        self.batchCount = batchCount
        self.prefillTokenCount = prefillTokenCount
        self.contextLength = contextLength
        self.expandedHeads = expandedHeads
    }

    /// Rows of activations in a step.
    public func tokenCount(_ phase: KernelPhase) -> Int { phase == .decode ? batchCount : prefillTokenCount }

    /// Keys that a sequence's last token attends to, itself included.
    public func keyCount(_ phase: KernelPhase) -> Int {
        max(contextLength, phase == .decode ? 1 : prefillTokenCount)
    }
}

/// One use of a kernel in a model's step, for any number of tokens: it is checked with few and timed with the step's.
public struct ModelCase: Sendable {
    /// The name of the kernel that `make` makes.
    public let kernel: String
    /// The use's name in tables: "q_b_proj".
    public let name: String
    public let make: @Sendable (inout Workbench, _ tokenCount: Int) throws(GPUError) -> any Kernel

    /// - Parameter name: nil for the kernel's own.
    public init<K: Kernel>(
        _ name: String? = nil,
        _ make: @escaping @Sendable (inout Workbench, _ tokenCount: Int) throws(GPUError) -> K
    ) {
        kernel = K.name
        self.name = name ?? K.name
        self.make = { bench, tokenCount throws(GPUError) in try make(&bench, tokenCount) }
    }
}
