/// Every kernel: what the self-test, the compile gate and the profiler walk.
public enum Catalogue {
    public static let kernels: [any Kernel.Type] = [
        Embedding.self, RMSNorm.self, Linear.self, SwiGLU.self, KVCacheAppend.self, MLAQuery.self, MLAAbsorbed.self,
        MLACombine.self, MLARope.self, MLAExpanded.self, MLAValue.self, ExpertGate.self, ExpertGateUp.self,
        ExpertDown.self, ExpertSort.self, GroupedLinear.self, ExpertSum.self, Argmax.self, Sample.self,
    ]

    /// What measures a device's limits: tested and gated as kernels are, and used by no model.
    public static let yardsticks: [any Kernel.Type] = [LimitCopy.self, LimitFMA.self]

    public static var tested: [any Kernel.Type] { kernels + yardsticks }
}
