/// What one run of the profiler found. Times are nanoseconds; what a device does not tell is nil.
public struct Profile: Sendable, Equatable {
    /// The version of the JSON that `json` writes; Tools/profile.schema.json describes it.
    public static let formatVersion = 1

    public enum Mode: String, Sendable {
        /// Every kernel by itself, at a model's shapes.
        case kernels
        /// A model's real steps.
        case run
    }

    public var mode: Mode
    public var header: Header
    public var limits: Limits
    /// In the order in which they were measured first.
    public var rows: [Row]
    /// The steps in time; empty in `.kernels`.
    public var steps: [Step] = []
    /// What measuring cost; nil in `.kernels`, where nothing but the measured dispatch runs between two marks.
    public var overhead: Overhead?
    /// What was left out or could not be done, in sentences.
    public var notes: [String] = []

    public init(mode: Mode, header: Header, limits: Limits, rows: [Row]) {
        self.mode = mode
        self.header = header
        self.limits = limits
        self.rows = rows
    }
}

extension Profile {
    /// On what, of what, and how.
    public struct Header: Sendable, Equatable {
        public var device: String
        /// "discrete", "software", …
        public var kind: String
        public var driver: String
        public var vulkan: String
        public var subgroupSize: Int
        public var sharedByteCount: Int
        public var memoryByteCount: Int
        /// What could be read of the clocks, such as "processor 2450 MHz".
        public var clocks: [String]
        /// Each shader's name and the hash of its SPIR-V.
        public var shaders: [Shader]
        public var commit: String?
        public var commandLine: [String]
        /// "2026-11-21T08:00:00Z"
        public var date: String
        /// The shapes' name or the model's.
        public var model: String

        public struct Shader: Sendable, Equatable {
            public var name: String
            /// Sixteen hexadecimal digits.
            public var hash: String
        }
    }

    /// The device's limits as measured in the same run.
    public struct Limits: Sendable, Equatable {
        /// Bytes read and written by a copy of buffers far larger than the caches, a second.
        public var copyBytesPerSecond: Double
        /// Multiplications and additions, two a fused multiply-add, a second.
        public var fp32FlopsPerSecond: Double
        public var fp16FlopsPerSecond: Double?
        public var matrixFlopsPerSecond: Double?
        /// One of many dispatches of nothing, each behind a barrier.
        public var launchNanoseconds: Double
        /// What a pair of marks adds to a dispatch between them: taken off every sample.
        public var markNanoseconds: Double
    }

    /// All uses of one kernel variant at one shape.
    public struct Row: Sendable, Equatable {
        /// The name in the catalogue.
        public var kernel: String
        /// Shader and constants: "linear_tiles 3".
        public var variant: String
        /// Phase, operand and sizes: "decode q_b, 1 × 1536 to 24576, fp8E4M3".
        public var shape: String
        /// Dispatches of one use.
        public var dispatchCount: Int
        /// Of one use.
        public var byteCount: Int
        public var flopCount: Int
        /// Uses in the time that was profiled, where the samples are only some of them; nil: all.
        public var useCount: Int?
        /// One use each, what the marks add taken off.
        public var samples: [Double]
        /// Samples of one round were taken one after another, rounds at different times: the number in each round.
        public var roundSizes: [Int]
        /// For each round, how long the yardstick took then: a fixed piece of arithmetic that shows how fast the machine
        /// was. Empty in `.run`.
        public var yardsticks: [Double]
        /// Mean time between the previous dispatch's end and the start of this one's; nil in `.kernels`.
        public var gap: Double?
        /// How the result was compared with the reference: "ok" and on what; nil in `.run`.
        public var check: String?
        public var code: CompiledCode?
    }

    /// What a driver tells of compiled code; nil where it does not.
    public struct CompiledCode: Sendable, Equatable {
        public var registers, spills, sharedByteCount, subgroupSize: Int?
        public init(registers: Int? = nil, spills: Int? = nil, sharedByteCount: Int? = nil, subgroupSize: Int? = nil) {
            self.registers = registers
            self.spills = spills
            self.sharedByteCount = sharedByteCount
            self.subgroupSize = subgroupSize
        }
    }

    /// One step of the model. All times count from the same origin, host and device alike.
    public struct Step: Sendable, Equatable {
        /// "prefill" or "decode".
        public var phase: String
        public var tokenCount: Int
        public var start, end: Double
        /// From when the device took the step up to when it was done.
        public var deviceStart, deviceEnd: Double
        public var dispatches: [Dispatch]
        /// What the host did, in order: "prepare", "record", "submit", "wait", "read".
        public var host: [Span]
    }

    public struct Dispatch: Sendable, Equatable {
        /// "layer 3", "the head", …
        public var layer: String
        /// "attention", "experts", …
        public var operation: String
        /// The index of its row.
        public var row: Int
        public var start, end: Double
    }

    public struct Span: Sendable, Equatable {
        public var name: String
        public var start, end: Double
    }

    public struct Overhead: Sendable, Equatable {
        /// Of how many dispatches one was marked in a decode step, so that the marks do not slow it.
        public var markedEvery: Int
        /// Median of a decode step's time, host and device, with marks and without.
        public var markedStep, plainStep: Double
        /// The dispatches' times and the gaps before them, together, as a part of the device's time for steps without marks.
        public var attributed: Double
        /// How far host and device times may be apart; nil where they were aligned by submission and completion alone.
        public var clockDeviation: Double?
    }
}
