import Checkpoint
import Kernels

/// Latent attention's weights of one layer, by DeepSeek's names.
struct AttentionWeights {
    /// What the layer's input is multiplied with: q_proj, or q_a_proj where queries go through a low rank; and kv_a_proj.
    enum Input {
        /// The query's rows on kv_a_proj's, as one matrix.
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
    /// From the low rank: q = q_b_proj · RMSNorm(q_a_proj · x).
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

/// A module that predicts one token further (DeepSeek-V3 report, section 2.2); embedding and head are the model's own.
struct PredictionWeights {
    let embeddingNorm, hiddenNorm, finalNorm: Tensor
    /// eh_proj, `[hidden, 2 · hidden]`: over the normed embedding, then the normed hidden state.
    let projection: Weight
    let layer: LayerWeights
}

/// All weights of a model and its constants.
struct ModelWeights {
    let embedding, head: Weight
    let finalNorm: Tensor
    let layers: [LayerWeights]
    /// The first multi-token prediction module, where the checkpoint has one.
    let prediction: PredictionWeights?
    /// RoPE's, `[1, qkRopeHeadDim / 2]`.
    let frequencies: Tensor
}

extension WeightLoader {
    /// - Parameter predicts: load the multi-token prediction module too.
    mutating func model(_ config: ModelConfig, predicts: Bool) throws(ModelError) -> ModelWeights {
        let embedding = try matrix("model.embed_tokens.weight")
        var layers: [LayerWeights] = []
        for index in 0..<config.numHiddenLayers { layers.append(try layer(config, index)) }
        return ModelWeights(
            embedding: embedding, head: config.tieWordEmbeddings ? embedding : try matrix("lm_head.weight"),
            finalNorm: try vector("model.norm.weight"), layers: layers,
            prediction: predicts ? try prediction(config) : nil,
            frequencies: try constant("rope frequencies", config.ropeFrequencies()))
    }

    private mutating func prediction(_ config: ModelConfig) throws(ModelError) -> PredictionWeights {
        let index = config.mtpLayers.lowerBound
        let prefix = "model.layers.\(index)"
        return PredictionWeights(
            embeddingNorm: try vector(prefix + ".enorm.weight"), hiddenNorm: try vector(prefix + ".hnorm.weight"),
            finalNorm: try vector(prefix + ".shared_head.norm.weight"),
            projection: try matrix(prefix + ".eh_proj.weight"), layer: try layer(config, index))
    }

    private mutating func layer(_ config: ModelConfig, _ index: Int) throws(ModelError) -> LayerWeights {
        let prefix = "model.layers.\(index)"
        return LayerWeights(
            inputNorm: try vector(prefix + ".input_layernorm.weight"),
            postAttentionNorm: try vector(prefix + ".post_attention_layernorm.weight"),
            attention: try attention(config, prefix + ".self_attn"),
            feedForward: config.isMoE(layer: index)
                ? .experts(try experts(config, prefix + ".mlp")) : .dense(try feedForward(prefix + ".mlp")))
    }

    private mutating func attention(_ config: ModelConfig, _ prefix: String) throws(ModelError) -> AttentionWeights {
        let (first, kvA) = (config.qLoraRank == nil ? "q_proj" : "q_a_proj", "kv_a_proj_with_mqa")
        let (query, latent) = ("\(prefix).\(first).weight", "\(prefix).\(kvA).weight")
        let input: AttentionWeights.Input
        if let both = try stacked(query, latent, "\(prefix).\(first)+\(kvA).weight") {
            input = .stacked(both, queryRows: config.qLoraRank ?? config.numAttentionHeads * config.qkHeadDim)
        } else {
            input = .apart(query: try matrix(query), kvA: try matrix(latent))
        }
        return AttentionWeights(
            input: input,
            query: config.qLoraRank == nil
                ? nil : (try vector(prefix + ".q_a_layernorm.weight"), try matrix(prefix + ".q_b_proj.weight")),
            kvANorm: try vector(prefix + ".kv_a_layernorm.weight"), kvB: try matrix(prefix + ".kv_b_proj.weight"),
            output: try matrix(prefix + ".o_proj.weight"))
    }

    private mutating func feedForward(_ prefix: String) throws(ModelError) -> FeedForwardWeights {
        FeedForwardWeights(
            gate: try matrix(prefix + ".gate_proj.weight"), up: try matrix(prefix + ".up_proj.weight"),
            down: try matrix(prefix + ".down_proj.weight"))
    }

    private mutating func experts(_ config: ModelConfig, _ prefix: String) throws(ModelError) -> ExpertWeights {
        let bias = prefix + ".gate.e_score_correction_bias"
        return ExpertWeights(
            router: try matrix(prefix + ".gate.weight"), bias: has(bias) ? try vector(bias) : nil,
            gate: try bank(config, prefix, "gate_proj"), up: try bank(config, prefix, "up_proj"),
            down: try bank(config, prefix, "down_proj"),
            shared: config.nSharedExperts > 0 ? try feedForward(prefix + ".shared_experts") : nil)
    }

    /// A projection of all experts, in parts that one binding takes.
    private mutating func bank(_ config: ModelConfig, _ prefix: String, _ projection: String) throws(ModelError)
        -> ExpertBank
    {
        let names = (0..<config.nRoutedExperts).map { "\(prefix).experts.\($0).\(projection).weight" }
        let columns = projection == "down_proj" ? config.moeIntermediateSize : config.hiddenSize
        let rows = projection == "down_proj" ? config.hiddenSize : config.moeIntermediateSize
        let expertByteCount = rows * (try format(names[0])).pitchByteCount(columns)
        let limit = executor.device?.profile.maxStorageBufferRange ?? Int.max
        let partCount = max(1, min(names.count, min(limit, 1 << 30) / expertByteCount))
        var parts: [(firstExpert: Int, weight: Weight)] = []
        var first = 0
        while first < names.count {
            let end = min(first + partCount, names.count)
            parts.append((first, try bank(Array(names[first..<end]))))
            first = end
        }
        return ExpertBank(parts: parts)
    }
}
