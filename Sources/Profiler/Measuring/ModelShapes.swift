import Checkpoint
import JSON

/// A model's true shapes, from its config.json or by name: what the kernels are measured at.
public struct ModelShapes: Sendable {
    public let name: String
    let config: ModelConfig
    /// Sequences of a decode step, tokens of a prefill step, and keys that attention reads.
    public var batchCount = 1
    public var prefillTokenCount = 128
    public var contextLength = 1024

    /// - Parameter config: at which sizes; weights are FP8 if it says so, else BF16.
    public init(name: String, config: ModelConfig) {
        self.name = name
        self.config = config
    }

    public static let names = ModelConfig.knownNames

    /// The published dimensions of a model, or of a small one for quick looks ("small"); nil for another name.
    public static func named(_ name: String) throws(CheckpointError) -> ModelShapes? {
        try ModelConfig.known(name).map { ModelShapes(name: name, config: $0) }
    }
}
