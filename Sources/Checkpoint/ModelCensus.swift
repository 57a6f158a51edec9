import Numerics

/// What a model's tensors add up to, part by part.
public struct ModelCensus: Sendable, Equatable {
    public enum Part: String, Sendable, CaseIterable {
        case attention
        case sharedExperts = "shared experts"
        case routedExperts = "routed experts"
        case denseFeedForward = "dense feed-forward"
        case router, embedding, head, norms
        /// The multi-token prediction layers, whole.
        case prediction
    }

    public struct Share: Sendable, Equatable {
        public var parameterCount = 0
        /// In the files, scales included.
        public var byteCount = 0
    }

    public struct Format: Sendable, Equatable {
        public var type: ElementType
        public var tensorCount, byteCount: Int
    }

    public let shares: [Part: Share]
    /// By the bytes they take, the most first.
    public let formats: [Format]
    /// Without the multi-token prediction, as models are called by it.
    public let parameterCount: Int
    /// Those that one token is multiplied with: of the routed experts only its own, of the embedding a row.
    public let activeParameterCount: Int

    /// - Parameter tensors: those of the files; none for what the config says alone.
    public init(_ config: ModelConfig, _ tensors: [String: TensorInfo], hasMTP: Bool) {
        var shares = Dictionary(uniqueKeysWithValues: Part.allCases.map { ($0, Share()) })
        for tensor in WeightMap.expected(config, hasMTP: hasMTP) where !tensor.isOptional || tensors[tensor.name] != nil
        {
            shares[Part(tensor.name, config)]!.parameterCount += tensor.shape.reduce(1, *)
        }
        var formats: [ElementType: Format] = [:]
        for tensor in tensors.values {
            shares[Part(tensor.name, config)]!.byteCount += tensor.byteCount
            formats[tensor.type, default: Format(type: tensor.type, tensorCount: 0, byteCount: 0)].tensorCount += 1
            formats[tensor.type]!.byteCount += tensor.byteCount
        }
        let routed = shares[.routedExperts]!.parameterCount
        var unused =
            routed / max(config.nRoutedExperts, 1) * (config.nRoutedExperts - config.numExpertsPerTok)
        // Where the embedding is the head too, all of it counts.
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

extension ModelCensus.Part {
    /// The part that a tensor belongs to, be it a weight or what comes with one.
    init(_ name: String, _ config: ModelConfig) {
        let words = name.split(separator: ".")
        if words.count > 4, words[0] == "model", words[1] == "layers" {
            if let layer = Int(words[2]), layer >= config.numHiddenLayers {
                self = .prediction
            } else if name.contains("norm.") {
                self = .norms
            } else if words[3] == "self_attn" {
                self = .attention
            } else {
                self =
                    switch words[4] {
                    case "experts": .routedExperts
                    case "shared_experts": .sharedExperts
                    case "gate": .router
                    default: .denseFeedForward
                    }
            }
        } else {
            self = words[0] == "lm_head" ? .head : name.contains("norm") ? .norms : .embedding
        }
    }
}
