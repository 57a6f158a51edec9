/// The declaration of the DeepSeek family's weights: V2, V3 and the models of other vendors that share their architecture.
struct DeepSeekWeights {
    private let config: ModelConfig
    private let names: any NamingScheme
    private var weights: [DeclaredWeight] = []

    /// Every weight in the model's order.
    static func all(_ config: ModelConfig, hasMTP: Bool, _ names: any NamingScheme) -> [DeclaredWeight] {
        var list = DeepSeekWeights(config: config, names: names)
        list.vocabulary(.embedding, .embedding)
        list.add(.finalNorm, [config.hiddenSize], .norms)
        list.vocabulary(.head, .head, isOptional: config.tieWordEmbeddings)
        for layer in 0..<config.numHiddenLayers { list.block(layer) }
        if hasMTP { for layer in config.mtpLayers { list.prediction(layer) } }
        return list.weights
    }

    private init(config: ModelConfig, names: any NamingScheme) {
        (self.config, self.names) = (config, names)
        weights.reserveCapacity((config.numHiddenLayers + 1) * (3 * config.nRoutedExperts + 16))
    }

    private mutating func block(_ layer: Int) {
        add(.layer(layer, .inputNorm), [config.hiddenSize], .norms)
        add(.layer(layer, .postAttentionNorm), [config.hiddenSize], .norms)
        attention(layer)
        if config.isMoE(layer: layer) {
            experts(layer)
        } else {
            network(layer, config.intermediateSize, .denseFeedForward) { .dense($0) }
        }
    }

    private mutating func attention(_ layer: Int) {
        func role(_ role: LayerRole) -> WeightRole { .layer(layer, role) }
        let (width, heads) = (config.hiddenSize, config.numAttentionHeads)
        let queryRows = heads * config.qkHeadDim
        if let rank = config.qLoraRank {
            add(role(.queryA), [rank, width], .attention, .quantisable)
            add(role(.queryANorm), [rank], .norms)
            add(role(.queryB), [queryRows, rank], .attention, .quantisable, .rows)
        } else {
            add(role(.query), [queryRows, width], .attention, .quantisable, .rows)
        }
        add(
            role(.kvA), [config.kvLoraRank + config.qkRopeHeadDim, width], .attention, .quantisable,
            stacking: .below(config.qLoraRank == nil ? .query : .queryA))
        add(role(.kvANorm), [config.kvLoraRank], .norms)
        add(
            role(.kvB), [heads * (config.qkNopeHeadDim + config.vHeadDim), config.kvLoraRank], .attention,
            .quantisableToFP8, .rows)
        add(role(.attentionOutput), [width, heads * config.vHeadDim], .attention, .quantisable, .columns)
    }

    private mutating func experts(_ layer: Int) {
        let count = config.nRoutedExperts
        add(.layer(layer, .router), [count, config.hiddenSize], .router)
        if config.topkMethod == .noauxTC { add(.layer(layer, .routerBias), [count], .router) }
        for expert in 0..<count {
            network(layer, config.moeIntermediateSize, .routedExperts, split: .experts, stacking: .bank) {
                .expert(expert, $0)
            }
        }
        guard config.nSharedExperts > 0 else { return }
        network(layer, config.moeIntermediateSize * config.nSharedExperts, .sharedExperts) { .shared($0) }
    }

    /// A gated network of `width` inner values.
    ///
    /// - Parameter split: nil where ranks share the inner values.
    private mutating func network(
        _ layer: Int, _ width: Int, _ part: ModelCensus.Part, split: DeclaredWeight.Split? = nil,
        stacking: DeclaredWeight.Stacking = .alone, _ role: (Projection) -> LayerRole
    ) {
        for projection in Projection.allCases {
            let isDown = projection == .down
            let shape = isDown ? [config.hiddenSize, width] : [width, config.hiddenSize]
            add(
                .layer(layer, role(projection)), shape, part, .quantisable, split ?? (isDown ? .columns : .rows),
                stacking: stacking)
        }
    }

    private mutating func prediction(_ layer: Int) {
        func role(_ role: LayerRole) -> WeightRole { .layer(layer, role) }
        add(role(.embeddingNorm), [config.hiddenSize], .norms)
        add(role(.hiddenNorm), [config.hiddenSize], .norms)
        add(role(.predictionProjection), [config.hiddenSize, 2 * config.hiddenSize], .prediction)
        block(layer)
        add(role(.predictionNorm), [config.hiddenSize], .norms)
        vocabulary(role(.embeddingCopy), .embedding, isOptional: true)
        vocabulary(role(.headCopy), .head, isOptional: true)
    }

    /// A row for each token.
    private mutating func vocabulary(_ role: WeightRole, _ part: ModelCensus.Part, isOptional: Bool = false) {
        add(role, [config.vocabSize, config.hiddenSize], part, .plain, .rows, isOptional: isOptional)
    }

    private mutating func add(
        _ role: WeightRole, _ shape: [Int], _ part: ModelCensus.Part, _ format: DeclaredWeight.FormatRule = .plain,
        _ split: DeclaredWeight.Split = .whole, stacking: DeclaredWeight.Stacking = .alone, isOptional: Bool = false
    ) {
        let isPrediction = if case .layer(let layer, _) = role { layer >= config.numHiddenLayers } else { false }
        weights.append(
            DeclaredWeight(
                role: role, name: names.name(of: role), shape: shape, format: format, split: split, stacking: stacking,
                part: part, isPrediction: isPrediction, isOptional: isOptional))
    }
}
