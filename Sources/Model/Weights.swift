import Checkpoint
import Kernels

/// Latent attention's weights of one layer, with DeepSeek's names.
struct AttentionWeights {
    /// The matrices that multiply the layer's input: q_proj, or q_a_proj of compressed queries; and kv_a_proj.
    enum Input {
        /// One matrix: the query's rows, then kv_a_proj's.
        case stacked(Weight, queryRows: Int)
        case apart(query: Weight, kvA: Weight)

        var weights: [Weight] {
            switch self {
            case .stacked(let weight, _): [weight]
            case .apart(let query, let kvA): [query, kvA]
            }
        }
    }
    let input: Input
    /// Of compressed queries: q = q_b_proj · RMSNorm(q_a_proj · x).
    let query: (norm: Tensor, qB: Weight)?
    let kvANorm: Tensor
    let kvB: Weight
    let output: Weight
}

/// A gated feed-forward network: down · (silu(gate · x) · (up · x)).
struct FeedForwardWeights {
    let gate, up, down: Weight

    func hasFormat(of bank: ExpertBank) -> Bool {
        [gate, up, down].allSatisfy { $0.format == bank.format }
    }
}

struct ExpertWeights {
    let router: Weight
    /// Selection bias of the auxiliary-loss-free balancing (V3).
    let bias: Tensor?
    let gate, up, down: ExpertBank
    let shared: FeedForwardWeights?
}

struct LayerWeights {
    enum FeedForward {
        case dense(FeedForwardWeights)
        case experts(ExpertWeights)
    }
    let inputNorm, postAttentionNorm: Tensor
    let attention: AttentionWeights
    let feedForward: FeedForward
}

extension LayerWeights {
    /// The formats and shapes that decide which kernels a layer takes.
    var kind: [String] {
        func text(_ weight: Weight) -> String { "\(weight.format) \(weight.rows) \(weight.columns)" }
        let network =
            switch feedForward {
            case .dense(let weights): [weights.gate, weights.up, weights.down].map(text)
            case .experts(let weights):
                ([weights.router] + [weights.gate, weights.up, weights.down].flatMap(\.weights)
                    + (weights.shared.map { [$0.gate, $0.up, $0.down] } ?? [])).map(text) + ["\(weights.bias != nil)"]
            }
        return (attention.input.weights + [attention.query?.qB, attention.kvB, attention.output].compactMap { $0 })
            .map(text) + network
    }
}

/// A module that predicts one token further (DeepSeek-V3 report, section 2.2); embedding and head are the model's own.
struct PredictionWeights {
    let embeddingNorm, hiddenNorm, finalNorm: Tensor
    /// eh_proj, `[hidden, 2 · hidden]`: over the normed embedding, then the normed hidden state.
    let projection: Weight
    let layer: LayerWeights
}

/// All weights of a model and its constants.
package struct ModelWeights {
    let embedding, head: Weight
    let finalNorm: Tensor
    let layers: [LayerWeights]
    /// The first multi-token prediction module, if the checkpoint has one.
    let prediction: PredictionWeights?
    /// Rotary frequencies, `[1, qkRopeHeadDim / 2]`.
    let frequencies: Tensor
}

/// Brings declared weights to memory.
package protocol WeightLoading {
    /// The declared weights that there are to load.
    var weights: WeightList { get }
    /// A matrix `[rows, columns]`.
    mutating func matrix(_ role: WeightRole) throws(ModelError) -> Weight
    /// Two matrices, one below the other, as one, so that one product computes both; nil if they cannot be.
    mutating func stacked(
        _ upper: WeightRole, _ lower: WeightRole
    ) throws(ModelError) -> (weight: Weight, upperRows: Int)?
    /// A projection of a layer's experts.
    mutating func bank(_ layer: Int, _ projection: Projection) throws(ModelError) -> ExpertBank
    /// A vector as `[1, width]` F32.
    mutating func vector(_ role: WeightRole) throws(ModelError) -> Tensor
    /// Values that follow from the config, as `[1, width]` F32.
    func constant(_ label: String, _ values: [Float]) throws(ModelError) -> Tensor
}

extension WeightLoading {
    /// - Parameter predicts: load the first multi-token prediction module too.
    package mutating func model(predicts: Bool) throws(ModelError) -> ModelWeights {
        let config = weights.config
        let embedding = try matrix(.embedding)
        var layers: [LayerWeights] = []
        for index in 0..<config.numHiddenLayers { layers.append(try layer(index)) }
        return ModelWeights(
            embedding: embedding, head: config.tieWordEmbeddings ? embedding : try matrix(.head),
            finalNorm: try vector(.finalNorm), layers: layers,
            prediction: predicts ? try prediction(config.mtpLayers.lowerBound) : nil,
            frequencies: try constant("rope frequencies", config.ropeFrequencies()))
    }

    private mutating func prediction(_ index: Int) throws(ModelError) -> PredictionWeights {
        PredictionWeights(
            embeddingNorm: try vector(.layer(index, .embeddingNorm)),
            hiddenNorm: try vector(.layer(index, .hiddenNorm)), finalNorm: try vector(.layer(index, .predictionNorm)),
            projection: try matrix(.layer(index, .predictionProjection)), layer: try layer(index))
    }

    private mutating func layer(_ index: Int) throws(ModelError) -> LayerWeights {
        LayerWeights(
            inputNorm: try vector(.layer(index, .inputNorm)),
            postAttentionNorm: try vector(.layer(index, .postAttentionNorm)), attention: try attention(index),
            feedForward: has(.layer(index, .router))
                ? .experts(try experts(index)) : .dense(try network(index) { .dense($0) }))
    }

    private func has(_ role: WeightRole) -> Bool { weights[role] != nil }

    private mutating func attention(_ layer: Int) throws(ModelError) -> AttentionWeights {
        AttentionWeights(
            input: try input(layer),
            query: has(.layer(layer, .queryA))
                ? (try vector(.layer(layer, .queryANorm)), try matrix(.layer(layer, .queryB))) : nil,
            kvANorm: try vector(.layer(layer, .kvANorm)), kvB: try matrix(.layer(layer, .kvB)),
            output: try matrix(.layer(layer, .attentionOutput)))
    }

    /// kv_a_proj below the query's matrix, as declared, or apart where their formats or the device do not allow it.
    private mutating func input(_ layer: Int) throws(ModelError) -> AttentionWeights.Input {
        let kvA = WeightRole.layer(layer, .kvA)
        guard case .below(let upper)? = weights[kvA]?.stacking else {
            preconditionFailure("layer \(layer): kv_a_proj is declared below no query")
        }
        let query = WeightRole.layer(layer, upper)
        if let both = try stacked(query, kvA) { return .stacked(both.weight, queryRows: both.upperRows) }
        return .apart(query: try matrix(query), kvA: try matrix(kvA))
    }

    private mutating func network(
        _ layer: Int, _ role: (Projection) -> LayerRole
    ) throws(ModelError) -> FeedForwardWeights {
        FeedForwardWeights(
            gate: try matrix(.layer(layer, role(.gate))), up: try matrix(.layer(layer, role(.up))),
            down: try matrix(.layer(layer, role(.down))))
    }

    private mutating func experts(_ layer: Int) throws(ModelError) -> ExpertWeights {
        ExpertWeights(
            router: try matrix(.layer(layer, .router)),
            bias: has(.layer(layer, .routerBias)) ? try vector(.layer(layer, .routerBias)) : nil,
            gate: try bank(layer, .gate), up: try bank(layer, .up), down: try bank(layer, .down),
            shared: has(.layer(layer, .shared(.gate))) ? try network(layer) { .shared($0) } : nil)
    }
}
