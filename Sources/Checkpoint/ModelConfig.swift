import Numerics

/// The model described by a checkpoint's config.json. All values are within the supported ranges; settings that would
/// change results and are not supported have been refused.
public struct ModelConfig: Sendable, Equatable {
    /// The function from the gate's logits to scores.
    public enum ScoringFunction: String, Sendable, CaseIterable {
        case sigmoid, softmax
    }

    /// The selection of experts by their scores.
    public enum TopKMethod: String, Sendable, CaseIterable {
        /// Selects by score plus a learned bias, within the groups with the highest sums of their two best values.
        case noauxTC = "noaux_tc"
        /// Selects by score, without groups.
        case greedy
        /// Selects by score, within the groups with the highest best scores.
        case groupLimitedGreedy = "group_limited_greedy"
    }

    /// Parameters of YaRN, which scales rotary frequencies for a context longer than the original one.
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
    /// Intermediate size of one expert; 0 in a model without experts.
    public internal(set) var moeIntermediateSize: Int
    public internal(set) var numHiddenLayers: Int
    public internal(set) var numAttentionHeads: Int
    /// Nil if the query is a single projection without a low-rank bottleneck.
    public internal(set) var qLoraRank: Int?
    public internal(set) var kvLoraRank: Int
    public internal(set) var qkNopeHeadDim: Int
    public internal(set) var qkRopeHeadDim: Int
    public internal(set) var vHeadDim: Int
    /// 0 in a model without experts.
    public internal(set) var nRoutedExperts: Int
    /// 0 if there are no shared experts.
    public internal(set) var nSharedExperts: Int
    public internal(set) var numExpertsPerTok: Int
    /// 1 if experts are not grouped.
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
    /// The scaling of weights stored as packed integers; nil if weights cannot be integers.
    public internal(set) var integers: GroupScaling?
    /// Whether weights may be FP8 E4M3 with one scale per block of 128 × 128.
    public internal(set) var isFP8: Bool
    /// Whether FP8 scales are powers of two (`scale_fmt` is "ue8m0").
    public internal(set) var hasPowerOfTwoScales: Bool

    /// Size of a head's query and key, with and without rotation.
    public var qkHeadDim: Int { qkNopeHeadDim + qkRopeHeadDim }

    /// Bytes of the latent cache per token, over all layers without the multi-token prediction.
    public func cacheByteCount(elementByteCount: Int) -> Int {
        numHiddenLayers * (kvLoraRank + qkRopeHeadDim) * elementByteCount
    }

    /// Whether a layer's feed-forward network is a mixture of experts. Layers from `numHiddenLayers` on belong to the
    /// multi-token prediction.
    public func isMoE(layer: Int) -> Bool {
        guard nRoutedExperts > 0 else { return false }
        if layer >= numHiddenLayers { return true }
        return layer >= firstKDenseReplace && layer % moeLayerFreq == 0
    }
}
