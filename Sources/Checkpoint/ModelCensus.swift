import Numerics

/// Parameters and bytes of a model, by part.
public struct ModelCensus: Sendable, Equatable {
    public enum Part: String, Sendable, CaseIterable {
        case attention
        case sharedExperts = "shared experts"
        case routedExperts = "routed experts"
        case denseFeedForward = "dense feed-forward"
        case router, embedding, head, norms
        /// All of the multi-token prediction layers.
        case prediction
    }

    public struct Share: Sendable, Equatable {
        public var parameterCount = 0
        /// Bytes in the files, with scales.
        public var byteCount = 0
    }

    public struct Format: Sendable, Equatable {
        public var type: ElementType
        public var tensorCount, byteCount: Int
    }

    public let shares: [Part: Share]
    /// In descending order of bytes.
    public let formats: [Format]
    /// Without the multi-token prediction: the number in models' names.
    public let parameterCount: Int
    /// The parameters that one token uses: of the routed experts the chosen ones, of the embedding a row.
    public let activeParameterCount: Int

    /// - Parameter tensors: the tensors in the files; empty for a config without files.
    public init(_ weights: WeightList, _ tensors: [String: TensorInfo]) {
        let config = weights.config
        var shares = Dictionary(uniqueKeysWithValues: Part.allCases.map { ($0, Share()) })
        func part(_ weight: DeclaredWeight) -> Part { weight.isPrediction ? .prediction : weight.part }
        for weight in weights where !weight.isOptional || tensors[weight.name] != nil {
            shares[part(weight)]!.parameterCount += weight.elementCount
        }
        var formats: [ElementType: Format] = [:]
        for tensor in tensors.values {
            // A checkpoint's only other tensors are rotary frequencies.
            shares[weights.find(tensor.name).map { part($0.weight) } ?? .attention]!.byteCount += tensor.byteCount
            formats[tensor.type, default: Format(type: tensor.type, tensorCount: 0, byteCount: 0)].tensorCount += 1
            formats[tensor.type]!.byteCount += tensor.byteCount
        }
        let routed = shares[.routedExperts]!.parameterCount
        var unused =
            routed / max(config.nRoutedExperts, 1) * (config.nRoutedExperts - config.numExpertsPerTok)
        // An embedding that is the head too is used whole.
        if shares[.head]!.parameterCount > 0 { unused += shares[.embedding]!.parameterCount - config.hiddenSize }
        let total = shares.reduce(0) { $0 + ($1.key == .prediction ? 0 : $1.value.parameterCount) }
        self.shares = shares
        self.formats = formats.values.sorted { ($0.byteCount, $0.type.rawValue) > ($1.byteCount, $1.type.rawValue) }
        parameterCount = total
        activeParameterCount = total - unused
    }

    /// Of all tensors.
    public var byteCount: Int { shares.values.reduce(0) { $0 + $1.byteCount } }
}
