import Cache
import GPU
import Model
import Numerics

/// Where a model runs.
public enum DeviceChoice: Sendable {
    /// The reference on the CPU.
    case cpu
    /// A Vulkan device by index or part of its name; nil for the best.
    case vulkan(String?)

    /// The value of `--device`.
    public init(_ text: String?) { self = text?.lowercased() == "cpu" ? .cpu : .vulkan(text) }
}

public struct LoadOptions: Sendable {
    /// Where nothing is said and the model takes as many.
    public static let defaultContextTokens = 4096

    /// Tokens of prompt and answer together; nil for the default or the model's most, if less.
    public var contextTokens: Int?
    public var kvFormat: CacheLayout.Format
    public var activations: ActivationFormat
    /// Run every kernel on the CPU too and stop where the two part.
    public var check: Bool
    /// Have the driver keep what it tells of compiled code; slower to compile.
    public var captureStatistics: Bool
    /// Told of the device before anything is made on it: to choose variants of kernels.
    public var prepareDevice: @Sendable (Device) -> Void = { _ in }
    /// Where compiled pipelines are kept between runs; nil for nowhere.
    public var pipelineCache: PipelineCache?

    public init(
        contextTokens: Int? = nil, kvFormat: CacheLayout.Format = .f32, activations: ActivationFormat = .f32,
        check: Bool = false, captureStatistics: Bool = false, pipelineCache: PipelineCache? = nil
    ) {
        self.contextTokens = contextTokens
        self.kvFormat = kvFormat
        self.activations = activations
        self.check = check
        self.captureStatistics = captureStatistics
        self.pipelineCache = pipelineCache
    }
}

public struct LoadProgress: Sendable {
    public var loadedByteCount, totalByteCount: Int

    public init(loadedByteCount: Int, totalByteCount: Int) {
        self.loadedByteCount = loadedByteCount
        self.totalByteCount = totalByteCount
    }
}
