/// The results of one run of the profiler. Times are in nanoseconds. Values that the device does not report are nil.
public struct Profile: Sendable, Equatable {
    /// The version of the JSON that `json` writes; Tools/profile.schema.json describes it.
    public static let formatVersion = 1

    public enum Mode: String, Sendable {
        /// Each kernel in isolation, at a model's shapes.
        case kernels
        /// Steps of a model.
        case run
    }

    public var mode: Mode
    public var header: Header
    public var limits: Limits
    /// In the order of their first measurement.
    public var rows: [Row]
    /// The timelines of some steps; empty in `.kernels`.
    public var steps: [Step] = []
    /// The cost of measuring; nil in `.kernels`, where only the measured dispatch runs between two timestamps.
    public var overhead: Overhead?
    /// Omissions and failures, as sentences.
    public var notes: [String] = []

    public init(mode: Mode, header: Header, limits: Limits, rows: [Row]) {
        self.mode = mode
        self.header = header
        self.limits = limits
        self.rows = rows
    }
}

extension Profile {
    /// The device, the program and the model of a profile.
    public struct Header: Sendable, Equatable {
        public var device: String
        /// "discrete", "software", …
        public var kind: String
        public var driver: String
        public var vulkan: String
        public var subgroupSize: Int
        public var sharedByteCount: Int
        public var memoryByteCount: Int
        /// The clock rates that could be read, such as "processor 2450 MHz".
        public var clocks: [String]
        /// The shaders that the device compiled.
        public var shaders: [Shader]
        public var commit: String?
        public var commandLine: [String]
        /// ISO 8601: "2026-11-21T08:00:00Z".
        public var date: String
        /// The name of the shapes or of the model.
        public var model: String

        public struct Shader: Sendable, Equatable {
            public var name: String
            /// Hash of the SPIR-V, as sixteen hexadecimal digits.
            public var hash: String
        }
    }

    /// The device's limits as measured in the same run.
    public struct Limits: Sendable, Equatable {
        /// Bytes read plus bytes written per second, by a copy of buffers far larger than the caches.
        public var copyBytesPerSecond: Double
        /// FP32 operations per second; a fused multiply-add counts as two.
        public var fp32FlopsPerSecond: Double
        public var fp16FlopsPerSecond: Double?
        public var matrixFlopsPerSecond: Double?
        /// Time per dispatch in a series of empty dispatches with barriers between them.
        public var launchNanoseconds: Double
        /// Time that a mark (a timestamp before and one after a dispatch) adds; it is subtracted from every sample.
        public var markNanoseconds: Double
    }

    /// All uses of one kernel variant at one shape.
    public struct Row: Sendable, Equatable {
        /// The kernel's name in the catalogue.
        public var kernel: String
        /// Shader and constants: "linear_tiles 3".
        public var variant: String
        /// Phase, operand and sizes: "decode q_b, 1 × 1536 to 24576, fp8E4M3".
        public var shape: String
        /// Dispatches per use.
        public var dispatchCount: Int
        /// Bytes read and written per use.
        public var byteCount: Int
        /// Floating-point operations per use.
        public var flopCount: Int
        /// Number of uses in the profiled steps; nil if each use has a sample.
        public var useCount: Int?
        /// Times of single uses, without the cost of the marks.
        public var samples: [Double]
        /// Number of samples in each round. The samples of a round are consecutive; rounds are spread over the run.
        public var roundSizes: [Int]
        /// For each round, the time of a fixed computation (the yardstick), which shows the machine's speed during the
        /// round. Empty in `.run`.
        public var yardsticks: [Double]
        /// Mean time from the end of the previous dispatch to the start of this kernel's; nil in `.kernels`.
        public var gap: Double?
        /// The result of comparing with the reference: "ok" and the size compared; nil in `.run`.
        public var check: String?
        public var code: CompiledCode?
    }

    /// Statistics of compiled code, as the driver reports them; nil if it does not.
    public struct CompiledCode: Sendable, Equatable {
        public var registers, spills, sharedByteCount, subgroupSize: Int?
        public init(registers: Int? = nil, spills: Int? = nil, sharedByteCount: Int? = nil, subgroupSize: Int? = nil) {
            self.registers = registers
            self.spills = spills
            self.sharedByteCount = sharedByteCount
            self.subgroupSize = subgroupSize
        }
    }

    /// One step of the model. Host and device times have the same origin.
    public struct Step: Sendable, Equatable {
        /// "prefill" or "decode".
        public var phase: String
        public var tokenCount: Int
        public var start, end: Double
        /// Start and end of the step on the device.
        public var deviceStart, deviceEnd: Double
        public var dispatches: [Dispatch]
        /// The host's activities in order: "prepare", "record", "submit", "wait", "read".
        public var host: [Span]
    }

    public struct Dispatch: Sendable, Equatable {
        /// "layer 3", "the head", …
        public var layer: String
        /// "attention", "experts", …
        public var operation: String
        /// Index into `Profile.rows`.
        public var row: Int
        public var start, end: Double
    }

    public struct Span: Sendable, Equatable {
        public var name: String
        public var start, end: Double
    }

    public struct Overhead: Sendable, Equatable {
        /// In a decode step, one dispatch in this many is marked, to limit the overhead.
        public var markedEvery: Int
        /// Median time of a decode step, host and device together, with marks and without.
        public var markedStep, plainStep: Double
        /// The sum of dispatch times and gaps, divided by the device time of the same steps without marks.
        public var attributed: Double
        /// Maximum error between host and device times; nil if they were aligned by submission and completion only.
        public var clockDeviation: Double?
    }
}
