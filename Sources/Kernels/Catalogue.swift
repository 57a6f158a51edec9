/// Every kernel: what the self-test, the compile gate and the profiler walk.
public enum Catalogue {
    public static let kernels: [any Kernel.Type] = [
        Embedding.self, RMSNorm.self, Linear.self, SwiGLU.self, KVCacheAppend.self, MLAQuery.self, MLADecode.self,
        MLAPrefill.self, MLACombine.self, MLAValue.self, ExpertGate.self, ExpertGateUp.self, ExpertDown.self,
        ExpertSort.self, GroupedLinear.self, ExpertSum.self, Argmax.self,
    ]
}
