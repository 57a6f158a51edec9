import GPU
import Shaders

/// Every kernel. The self-test, the compile gate, the tuner and the profiler walk these lists.
public enum Catalogue {
    /// The kernels of a model's steps, in the order in which the profiler shows them.
    public static let kernels: [any Kernel.Type] = [
        RMSNorm.self, QuantiseRows.self, SwiGLU.self, HalfRows.self, Argmax.self, Sample.self, Gather.self, Linear.self,
        KVCacheAppend.self, MLAQuery.self, MLAAbsorbed.self, MLAValue.self, MLARope.self, MLAExpanded.self,
        ExpertGate.self, ExpertGateUp.self, ExpertDown.self, ExpertSort.self, GroupedLinear.self, ExpertSum.self,
    ]

    /// Kernels that measure a device's limits or make random weights. They are tested as the others are; no step uses them.
    public static let yardsticks: [any Kernel.Type] = [
        LimitCopy.self, LimitFMA.self, LimitMatrix.self, RandomFill.self,
    ]

    /// Kernels of a model's steps that are a command of the device rather than a shader.
    public static let commands: [any Kernel.Type] = [Clear.self]

    public static var tested: [any Kernel.Type] { kernels + commands + yardsticks }

    /// The names of a kernel's variants, by the kernel's name; kernels with one variant are not in it.
    public static let variantNames: [String: [String]] = Dictionary(
        uniqueKeysWithValues: tested.compactMap { kernel in
            (kernel as? any ChosenKernel.Type).map { ($0.name, $0.variants.map(\.variant.name)) }
        })

    /// The rules of the compile gate; for other shaders the default of `CodeRule.init` holds.
    public static let codeRules: [CodeRule] = tested.flatMap { $0.codeRules }

    /// Where this user's compiled pipelines of these kernels are kept between runs; nil without a home directory.
    public static var pipelineCache: PipelineCache? {
        PipelineCache.standardFolder().map { PipelineCache(folder: $0, shaders: AllShaders.hash) }
    }
}
