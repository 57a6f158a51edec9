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
    /// Within a layer, by how the rest of the name begins: the first that does counts.
    private static let layerParts: [(prefix: String, part: Self)] = [
        ("mlp.experts.", .routedExperts), ("mlp.shared_experts.", .sharedExperts), ("mlp.gate.", .router),
        ("mlp.", .denseFeedForward), ("self_attn.q_a_layernorm.", .norms), ("self_attn.kv_a_layernorm.", .norms),
        ("self_attn.", .attention), ("", .norms),
    ]

    /// The part that a tensor belongs to, be it a weight or what comes with one.
    ///
    /// By bytes: among 91,000 names a search by characters takes longer than reading the headers.
    init(_ name: String, _ config: ModelConfig) {
        let layers = "model.layers."
        guard name.hasPrefix(layers) else {
            self = name.hasPrefix("lm_head.") ? .head : name.hasPrefix("model.norm.") ? .norms : .embedding
            return
        }
        let rest = name.utf8.dropFirst(layers.utf8.count)
        let number = rest.prefix { $0 != UInt8(ascii: ".") }
        let layer = Int(Substring(number)) ?? 0
        let place = rest.dropFirst(number.count + 1)
        self =
            layer >= config.numHiddenLayers
            ? .prediction : Self.layerParts.first { place.starts(with: $0.prefix.utf8) }?.part ?? .norms
    }
}
