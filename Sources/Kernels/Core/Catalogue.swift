import GPU
import Shaders

/// Every kernel: what the self-test, the compile gate and the profiler walk.
public enum Catalogue {
    public static let kernels: [any Kernel.Type] = [
        Embedding.self, RMSNorm.self, HalfRows.self, QuantiseRows.self, Linear.self, SwiGLU.self, KVCacheAppend.self,
        MLAQuery.self, MLAAbsorbed.self, MLARope.self, MLAExpanded.self, MLAValue.self, ExpertGate.self,
        ExpertGateUp.self, ExpertDown.self, ExpertSort.self, GroupedLinear.self, ExpertSum.self, Argmax.self,
        Sample.self,
    ]

    /// What measures a device's limits and makes random weights: tested and gated as kernels are, and in no model's step.
    public static let yardsticks: [any Kernel.Type] = [
        LimitCopy.self, LimitFMA.self, LimitMatrix.self, RandomFill.self,
    ]

    public static var tested: [any Kernel.Type] { kernels + yardsticks }

    /// Where this user's compiled pipelines of these kernels are kept between runs; nil without a home.
    public static var pipelineCache: PipelineCache? {
        PipelineCache.standardFolder().map { PipelineCache(folder: $0, shaders: AllShaders.hash) }
    }
}
