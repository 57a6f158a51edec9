import GPU
import Glibc
import Kernels

/// What a model's steps did and when: each use of a kernel with its dispatches on the device's clock, and the host's part
/// on its own (CLOCK_MONOTONIC). Nanoseconds.
public final class StepTimeline {
    /// Three marks a dispatch: enough for a hundred layers of fifty.
    static let markCapacity = 16_384

    /// One use of a kernel.
    public struct Use: Sendable {
        public let kernel, summary: String
        public let cost: Cost
        /// "layer 3" and "attention".
        public let place, operation: String
        /// What was chosen where the kernel has variants, and what there was to choose from.
        public let choice: (name: String, variant: String, variants: [String])?
        public internal(set) var dispatches: [Dispatch] = []
        fileprivate var range = 0..<0

        init(
            kernel: String, summary: String, cost: Cost, place: Program.Place,
            choice: (name: String, variant: String, variants: [String])? = nil
        ) {
            self.kernel = kernel
            self.summary = summary
            self.cost = cost
            (self.place, operation) = (place.layer.description, place.part.rawValue)
            self.choice = choice
        }
    }

    public struct Dispatch: Sendable {
        public let shader: String
        public let constants: [UInt32]
        /// Whether it waited for what came before.
        public let hasBarrier: Bool
        /// On the device's clock: when what came before had ended, when this began and ended; nil if it was not marked.
        public let times: (before: Double, start: Double, end: Double)?
    }

    /// What the host did in a step: "prepare", "record", "submit", "wait", "read".
    public struct Span: Sendable {
        public let name: String
        public let start: Double
        public internal(set) var end: Double
    }

    /// One submission.
    public struct Submission: Sendable {
        public internal(set) var uses: [Use] = []
        public internal(set) var host: [Span] = []
        /// When the device took the submission up, and when it was done with it.
        public internal(set) var start = 0.0
        public internal(set) var end = 0.0
    }

    /// Which dispatches are marked from the next submission on.
    public var marking = Marking()
    public private(set) var submissions: [Submission] = []
    private var current = Submission()

    public init() {}

    /// Gives up what was recorded so far, and ends the last step's reading.
    public func take() -> [Submission] {
        close()
        defer { submissions = [] }
        return submissions
    }

    /// Ends what the host did until now: the caller goes on with its own work.
    public func close() {
        guard let last = submissions.indices.last else { return }
        Self.end(&submissions[last].host)
    }

    /// A step's inputs are made and uploaded from now on.
    func prepare() {
        close()
        current = Submission()
        enter("prepare")
    }

    func begin(_ commands: inout Commands) {
        commands.marking = marking
        _ = commands.timestamp(.start)
        if current.host.last?.name != "prepare" { current = Submission() }
        enter("record")
    }

    func enter(_ name: String) {
        Self.end(&current.host)
        current.host.append(Span(name: name, start: Self.now(), end: .infinity))
    }

    func submit(_ commands: inout Commands) {
        _ = commands.timestamp(.end)
        enter("submit")
    }

    /// - Parameter range: the use's commands among the marked ones.
    func add(_ use: Use, _ range: Range<Int>) {
        var use = use
        use.range = range
        current.uses.append(use)
    }

    /// The submission of these commands is done.
    func finish(_ commands: inout Commands) throws(GPUError) {
        let (marked, times) = (commands.marked, try commands.timestamps())
        for index in current.uses.indices {
            current.uses[index].dispatches = marked[current.uses[index].range].map { command in
                Dispatch(
                    shader: command.name, constants: command.constants, hasBarrier: command.hasBarrier,
                    times: command.marks.map { (times[$0.before], times[$0.start], times[$0.end]) })
            }
        }
        (current.start, current.end) = (times.first ?? 0, times.last ?? 0)
        enter("read")
        submissions.append(current)
    }

    private static func end(_ spans: inout [Span]) {
        if let last = spans.indices.last, spans[last].end == .infinity { spans[last].end = now() }
    }

    public static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
}
