import Checkpoint
import GPU
import Kernels
import Model

/// A model's true shapes, from its config.json or by name: the shapes at which kernels are measured.
public struct ModelShapes: Sendable {
    public let name: String
    let config: ModelConfig
    /// Sequences of a decode step, tokens of a prefill step, and tokens of a sequence at the end of the step.
    public var batchCount = 1
    public var prefillTokenCount = 128
    public var contextLength = 1024

    /// - Parameter config: the model's sizes. Weights are in the config's packed integers, else FP8 if it says so, else BF16.
    public init(name: String, config: ModelConfig) {
        self.name = name
        self.config = config
    }

    public static let names = ModelConfig.knownNames

    /// The published dimensions of a model, or of a small one for quick looks ("small"); nil for another name.
    public static func named(_ name: String) throws(CheckpointError) -> ModelShapes? {
        try ModelConfig.known(name).map { ModelShapes(name: name, config: $0) }
    }

    /// Every use of a kernel in a decode step and in a prefill step.
    func cases() -> [ShapedCase] {
        let dimensions = dimensions
        return [KernelPhase.decode, .prefill].flatMap { phase in
            Catalogue.kernels.flatMap { $0.modelCases(dimensions, phase) }.map {
                ShapedCase(use: $0, phase: phase, tokenCount: dimensions.tokenCount(phase))
            }
        }
    }

    private var format: WeightFormat {
        config.integers.map { .integers($0) } ?? (config.isFP8 ? .fp8E4M3 : .bf16)
    }

    private var dimensions: ModelDimensions {
        let shape = MLAShape(config)
        var model = ModelDimensions(
            hiddenSize: config.hiddenSize, intermediateSize: config.intermediateSize,
            vocabularySize: config.vocabSize, attention: shape, epsilon: config.rmsNormEps, format: format,
            products: products, experts: experts, batchCount: batchCount, prefillTokenCount: prefillTokenCount,
            contextLength: contextLength, expandedHeads: nil)
        model.expandedHeads = ExpansionRule(shape: shape).slice(keyCount: model.keyCount(.prefill))
        return model
    }

    private var experts: ModelDimensions.Experts? {
        GateRule(config).map {
            .init(count: config.nRoutedExperts, intermediateSize: config.moeIntermediateSize, rule: $0)
        }
    }

    private var products: [ModelDimensions.Product] {
        WeightList(config, hasMTP: false).products.map {
            // Like decode, a prefill computes the logits of one token.
            .init(
                $0.name, from: $0.columns, to: $0.rows, $0.isQuantisable ? format : .bf16,
                isDecodeOnly: $0.roles == [.head])
        }
    }
}

/// One use of a kernel at a model's shapes, for a step's tokens; for fewer when it is checked.
struct ShapedCase: Sendable {
    let use: ModelCase
    let phase: KernelPhase
    /// Tokens of a step.
    let tokenCount: Int

    var kernel: String { use.kernel }
    var name: String { use.name }
    /// "decode q_b_proj"
    var label: String { "\(phase) \(name)" }

    func make(_ bench: inout Workbench, _ tokenCount: Int) throws(GPUError) -> any Kernel {
        try use.make(&bench, tokenCount)
    }
}
