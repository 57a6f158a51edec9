import Numerics

/// What a checkpoint's config.json says about its model, checked: every value is within the range the engine computes
/// with, and nothing that would change the results was passed over.
public struct ModelConfig: Sendable, Equatable {
    /// How the gate turns its logits into scores.
    public enum ScoringFunction: String, Sendable, CaseIterable {
        case sigmoid, softmax
    }

    /// How the gate picks experts from the scores.
    public enum TopKMethod: String, Sendable, CaseIterable {
        /// By score plus a learned bias; a group counts by the sum of its two best.
        case noauxTC = "noaux_tc"
        case greedy
        /// By score; a group counts by its best.
        case groupLimitedGreedy = "group_limited_greedy"
    }

    /// Rotary frequencies stretched to a longer context than the model was first trained on.
    public struct YaRN: Sendable, Equatable {
        public var factor: Double
        public var originalMaxPositionEmbeddings: Int
        public var betaFast: Double
        public var betaSlow: Double
        public var mscale: Double
        public var mscaleAllDim: Double
    }

    /// `deepseek_v2`, `deepseek_v3` or `kimi_k2`.
    public internal(set) var modelType: String
    public internal(set) var vocabSize: Int
    public internal(set) var hiddenSize: Int
    public internal(set) var intermediateSize: Int
    /// 0 without routed experts.
    public internal(set) var moeIntermediateSize: Int
    public internal(set) var numHiddenLayers: Int
    public internal(set) var numAttentionHeads: Int
    /// Nil where the query comes from one projection.
    public internal(set) var qLoraRank: Int?
    public internal(set) var kvLoraRank: Int
    public internal(set) var qkNopeHeadDim: Int
    public internal(set) var qkRopeHeadDim: Int
    public internal(set) var vHeadDim: Int
    /// 0 in a model without experts.
    public internal(set) var nRoutedExperts: Int
    /// 0 where no expert is shared.
    public internal(set) var nSharedExperts: Int
    public internal(set) var numExpertsPerTok: Int
    /// 1 where experts are not grouped.
    public internal(set) var nGroup: Int
    public internal(set) var topkGroup: Int
    public internal(set) var routedScalingFactor: Float
    public internal(set) var normTopkProb: Bool
    public internal(set) var scoringFunc: ScoringFunction
    public internal(set) var topkMethod: TopKMethod
    public internal(set) var firstKDenseReplace: Int
    public internal(set) var moeLayerFreq: Int
    public internal(set) var numNextnPredictLayers: Int
    public internal(set) var rmsNormEps: Float
    public internal(set) var maxPositionEmbeddings: Int
    public internal(set) var ropeTheta: Double
    public internal(set) var yarn: YaRN?
    public internal(set) var bosTokenID: Int32?
    public internal(set) var eosTokenIDs: [Int32]
    public internal(set) var tieWordEmbeddings: Bool
    /// How weights are packed that are integers; nil where none may be.
    public internal(set) var integers: GroupScaling?
    /// Whether weights may be FP8 E4M3 with a scale for each block of 128 by 128.
    public internal(set) var isFP8: Bool
    /// Whether scales of FP8 values are powers of two (`scale_fmt` is "ue8m0").
    public internal(set) var hasPowerOfTwoScales: Bool

    /// Query and key values a head, rotated and not.
    public var qkHeadDim: Int { qkNopeHeadDim + qkRopeHeadDim }

    /// Bytes that the latent cache of all layers takes for a token, the multi-token prediction's apart.
    public func cacheByteCount(elementByteCount: Int) -> Int {
        numHiddenLayers * (kvLoraRank + qkRopeHeadDim) * elementByteCount
    }

    /// Whether a layer's feed-forward part is a mixture of experts; layers from `numHiddenLayers` on are the
    /// multi-token prediction's.
    public func isMoE(layer: Int) -> Bool {
        guard nRoutedExperts > 0 else { return false }
        if layer >= numHiddenLayers { return true }
        return layer >= firstKDenseReplace && layer % moeLayerFreq == 0
    }
}
