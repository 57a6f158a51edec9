import GPU
import Kernels

/// Runs programs on a device one by one, with marks between their dispatches, and writes a timeline.
public final class TimedInterpreter: Interpreter {
    private let device: Device
    private let scratch: ScratchMemory
    private let timeline: StepTimeline
    private let recording: Recording

    public init(on device: Device, scratch: ScratchMemory, timeline: StepTimeline) throws(ProgramError) {
        self.device = device
        self.scratch = scratch
        self.timeline = timeline
        recording = try onDevice { () throws(GPUError) in
            try Recording(on: device, timestampCapacity: StepTimeline.markCapacity)
        }
    }

    public var runsAhead: Bool { false }

    public func prepare() { timeline.prepare() }

    public func submit(_ input: StepInput, _ make: () -> Program) throws(ProgramError) -> Submission {
        let program = make()
        return try onDevice { () throws(GPUError) in
            try scratch.bind(program)
            // Commands of one piece of work are one use in the timeline.
            var first = 0
            func add(_ use: @autoclosure () -> StepTimeline.Use, _ commands: borrowing Commands) {
                timeline.add(use(), first..<commands.markedCount)
                first = commands.markedCount
            }
            var isInputAdded = false
            try recording.record(program) { (commands) in
                timeline.begin(&commands)
            } encode: { (operation, commands) throws(GPUError) in
                if !isInputAdded {
                    add(.copy(program.inputs.byteCount, in: Program.Place(.inputs, .inputs)), commands)
                    isInputAdded = true
                }
                try operation.kernel.encode(into: &commands)
                add(.init(operation, input, on: device), commands)
            }
            if program.resultByteCount > 0 {
                add(
                    .copy(program.resultByteCount, in: Program.Place(.head, .head)), recording.commands)
            }
            recording.load(input.words)
            timeline.submit(&recording.commands)
            try recording.commands.submit()
            timeline.enter("wait")
            try recording.commands.wait()
            try timeline.finish(&recording.commands)
            return Submission(recording.output)
        }
    }

    public func collect(_ submission: Submission) throws(ProgramError) -> StepOutput {
        defer { timeline.close() }
        return submission.output
    }

    public func discard(_ submission: Submission) { timeline.close() }

    public func walk(
        _ program: Program, _ input: StepInput, _ observe: (Program.Observation, [UInt32]) throws(ProgramError) -> Void
    ) throws(ProgramError) -> StepOutput {
        try DeviceInterpreter(on: device, scratch: scratch).walk(program, input, observe)
    }
}

extension StepTimeline.Use {
    fileprivate static func copy(_ byteCount: Int, in place: Program.Place) -> StepTimeline.Use {
        StepTimeline.Use(
            kernel: "copy", summary: "\(byteCount) bytes", cost: Cost(byteCount: 2 * byteCount, flopCount: 0),
            place: place)
    }

    /// An operation with the step's own costs: attention's depend on the keys that the rows attend to.
    fileprivate init(_ operation: Program.Operation, _ input: StepInput, on device: Device) {
        let kernel = operation.kernel
        var choice: (name: String, variant: String, variants: [String])?
        if let kernel = kernel as? any ChosenKernel {
            choice = (
                kernel.choice, kernel.variant(on: device).name, kernel.variants(on: device.profile).map(\.name)
            )
        }
        self.init(
            kernel: type(of: kernel).name, summary: kernel.summary,
            cost: operation.cost(attendedCounts: input.attendedCounts), place: operation.place, choice: choice)
    }
}

extension Program.Operation {
    /// - Parameter attendedCounts: see `StepInput`.
    public func cost(attendedCounts: [Int]) -> Cost {
        guard var attending = kernel as? any AttendingKernel else { return kernel.cost }
        attending.attendedCount = attendedCounts[group]
        return attending.cost
    }
}
