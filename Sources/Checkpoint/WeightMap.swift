/// A tensor that a config calls for.
public struct ExpectedTensor: Sendable, Equatable {
    /// How several devices would share it.
    public enum Split: Sendable {
        /// Each has all of it.
        case whole
        /// Each has some of its rows, and computes those outputs; of an embedding, knows those tokens.
        case rows
        /// Each has some of its columns, and the outputs are summed.
        case columns
        /// Each has some of the experts.
        case experts
    }

    public var name: String
    /// Nil for what belongs to no layer.
    public var layer: Int?
    public var shape: [Int]
    /// Whether it may be FP8 with a scale for each block, or packed integers with one for each group.
    public var canBeFP8: Bool
    public var split: Split
    /// Copies that a checkpoint may leave out.
    public var isOptional = false
}

/// Which tensors a config calls for, by the names and shapes of published checkpoints.
public enum WeightMap {
    /// Every tensor but scales, as if none were packed; with `hasMTP`, those of the multi-token prediction layers too.
    public static func expected(_ config: ModelConfig, hasMTP: Bool) -> [ExpectedTensor] {
        var list = List(config: config)
        list.matrix("model.embed_tokens", config.vocabSize, config.hiddenSize, .rows, canBeFP8: false)
        list.vector("model.norm", config.hiddenSize)
        list.matrix("lm_head", config.vocabSize, config.hiddenSize, .rows, canBeFP8: false)
        list.markOptional(if: config.tieWordEmbeddings)
        for layer in 0..<config.numHiddenLayers { list.block(layer) }
        guard hasMTP else { return list.tensors }
        for layer in config.mtpLayers {
            let prefix = "model.layers.\(layer)."
            list.vector(prefix + "enorm", config.hiddenSize)
            list.vector(prefix + "hnorm", config.hiddenSize)
            list.matrix(prefix + "eh_proj", config.hiddenSize, 2 * config.hiddenSize, .whole, canBeFP8: false)
            list.block(layer)
            list.vector(prefix + "shared_head.norm", config.hiddenSize)
            list.matrix(prefix + "embed_tokens", config.vocabSize, config.hiddenSize, .rows, canBeFP8: false)
            list.markOptional()
            list.matrix(prefix + "shared_head.head", config.vocabSize, config.hiddenSize, .rows, canBeFP8: false)
            list.markOptional()
        }
        return list.tensors
    }

    /// The name of the block scales of an FP8 weight.
    public static func scaleName(_ weight: String) -> String { weight + "_scale_inv" }

    /// The names of what stands in the place of a weight of packed integers: see `GroupScaling`.
    public static func packedName(_ weight: String) -> String { weight + "_packed" }
    public static func groupScaleName(_ weight: String) -> String { weight + "_scale" }
    public static func packedShapeName(_ weight: String) -> String { weight + "_shape" }

    /// Whether a tensor of this name holds what weights are multiplied with, block by block or group by group.
    static func isScale(_ name: String) -> Bool { name.hasSuffix("_scale_inv") || name.hasSuffix(".weight_scale") }

    private struct List {
        let config: ModelConfig
        var tensors: [ExpectedTensor] = []
        private var layer: Int?

        init(config: ModelConfig) { self.config = config }

        mutating func matrix(
            _ name: String, _ rows: Int, _ columns: Int, _ split: ExpectedTensor.Split, canBeFP8: Bool = true
        ) {
            add(name + ".weight", [rows, columns], split, canBeFP8: canBeFP8)
        }

        mutating func vector(_ name: String, _ count: Int) { add(name + ".weight", [count], .whole, canBeFP8: false) }

        private mutating func add(
            _ name: String, _ shape: [Int], _ split: ExpectedTensor.Split, canBeFP8: Bool
        ) {
            tensors.append(
                ExpectedTensor(name: name, layer: layer, shape: shape, canBeFP8: canBeFP8, split: split))
        }

        /// Makes the tensor added last optional.
        mutating func markOptional(if condition: Bool = true) {
            tensors[tensors.count - 1].isOptional = condition
        }

        mutating func block(_ layer: Int) {
            self.layer = layer
            let prefix = "model.layers.\(layer)."
            vector(prefix + "input_layernorm", config.hiddenSize)
            vector(prefix + "post_attention_layernorm", config.hiddenSize)
            attention(prefix + "self_attn.")
            guard config.isMoE(layer: layer) else {
                feedForward(prefix + "mlp.", config.intermediateSize, rows: .rows, columns: .columns)
                return
            }
            matrix(prefix + "mlp.gate", config.nRoutedExperts, config.hiddenSize, .whole, canBeFP8: false)
            if config.topkMethod == .noauxTC {
                add(prefix + "mlp.gate.e_score_correction_bias", [config.nRoutedExperts], .whole, canBeFP8: false)
            }
            for expert in 0..<config.nRoutedExperts {
                let name = "\(prefix)mlp.experts.\(expert)."
                feedForward(name, config.moeIntermediateSize, rows: .experts, columns: .experts)
            }
            if config.nSharedExperts > 0 {
                let width = config.moeIntermediateSize * config.nSharedExperts
                feedForward(prefix + "mlp.shared_experts.", width, rows: .rows, columns: .columns)
            }
        }

        private mutating func attention(_ prefix: String) {
            let heads = config.numAttentionHeads
            if let rank = config.qLoraRank {
                matrix(prefix + "q_a_proj", rank, config.hiddenSize, .whole)
                vector(prefix + "q_a_layernorm", rank)
                matrix(prefix + "q_b_proj", heads * config.qkHeadDim, rank, .rows)
            } else {
                matrix(prefix + "q_proj", heads * config.qkHeadDim, config.hiddenSize, .rows)
            }
            let cached = config.kvLoraRank + config.qkRopeHeadDim
            matrix(prefix + "kv_a_proj_with_mqa", cached, config.hiddenSize, .whole)
            vector(prefix + "kv_a_layernorm", config.kvLoraRank)
            matrix(prefix + "kv_b_proj", heads * (config.qkNopeHeadDim + config.vHeadDim), config.kvLoraRank, .rows)
            matrix(prefix + "o_proj", config.hiddenSize, heads * config.vHeadDim, .columns)
        }

        private mutating func feedForward(
            _ prefix: String, _ width: Int, rows: ExpectedTensor.Split, columns: ExpectedTensor.Split
        ) {
            matrix(prefix + "gate_proj", width, config.hiddenSize, rows)
            matrix(prefix + "up_proj", width, config.hiddenSize, rows)
            matrix(prefix + "down_proj", config.hiddenSize, width, columns)
        }
    }
}

extension ModelConfig {
    /// The layers of the multi-token prediction, which follow the model's own.
    public var mtpLayers: Range<Int> { numHiddenLayers..<numHiddenLayers + numNextnPredictLayers }
}
