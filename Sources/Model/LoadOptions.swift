import GPU
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
    public enum CacheFormat: String, Sendable {
        case f32, bf16
        var elementType: ElementType { self == .bf16 ? .bf16 : .f32 }
    }

    /// What products with FP8 weights take: activations as they are, or rounded to FP8, as DeepSeek's own inference does.
    /// (W_kvb is no such product where it is absorbed, and is none where it is not: tokens do not depend on the form.)
    public enum ActivationFormat: String, Sendable { case f32, fp8 }

    /// Where nothing is said and the model takes as many.
    public static let defaultContextTokens = 4096

    /// Tokens of prompt and answer together; nil for the default or the model's most, if less.
    public var contextTokens: Int?
    public var kvFormat: CacheFormat
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
        contextTokens: Int? = nil, kvFormat: CacheFormat = .f32, activations: ActivationFormat = .f32,
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

/// Everything that a step computed on the way, for comparison with another implementation.
public struct Trace: Sendable {
    public struct Routing: Sendable {
        public var layer: Int
        /// `[T, k]`, each token's in ascending order of expert.
        public var experts: [Int]
        public var weights: [Float]
    }

    /// `[T, V]`
    public var logits: [Float]
    /// `[L + 1, T, H]`: the residual stream before each layer, and after the last (before the final norm).
    public var hidden: [[Float]]
    /// `[T − 1, V]`: the multi-token prediction at each token, which has seen the one after it; empty without the module.
    public var mtpLogits: [Float]
    public var routing: [Routing]
}

public protocol TraceableModel: AnyObject {
    /// Runs the tokens as one new sequence, `chunk` tokens a step (nil: as many as a step takes), and keeps what they computed.
    func trace(_ tokens: [Int32], chunk: Int?) throws(ModelError) -> Trace
    /// What runs it, for reports: a device's name, or "cpu".
    var deviceName: String { get }
    var peakDeviceByteCount: Int? { get }
    /// Has each step's dispatches recorded from now on, with their times on the device; nil ends that.
    func record(into timeline: StepTimeline?) throws(ModelError)
    /// The device that it runs on; nil on the CPU.
    var device: Device? { get }
    /// What the checkpoint lacks without being wrong.
    var notes: [String] { get }
}
