import GPU
import Kernels

/// Records programs on a device, keeps the commands by the program's shape and queues them again.
public final class DeviceInterpreter: Interpreter {
    private let device: Device
    private let scratch: ScratchMemory
    private var pool = RecordingPool()
    /// Steps whose commands were recorded rather than queued again.
    public private(set) var recordedCount = 0

    public init(on device: Device, scratch: ScratchMemory) {
        self.device = device
        self.scratch = scratch
    }

    public var runsAhead: Bool { true }

    public func submit(_ input: StepInput, _ make: () -> Program) throws(ProgramError) -> Submission {
        try onDevice { () throws(GPUError) in
            let recording = try pool.next(for: input.shape) { () throws(GPUError) in try Recording(on: device) }
            try recording.commands.wait()
            if recording.program?.shape == input.shape {
                recording.load(input.words)
                try recording.commands.replay()
            } else {
                let program = pool.program(input.shape) ?? make()
                try scratch.bind(program)
                recordedCount += 1
                try recording.record(program) { (operation, commands) throws(GPUError) in
                    try operation.kernel.encode(into: &commands)
                }
                recording.load(input.words)
                try recording.commands.submit()
            }
            recording.isAwaited = true
            return Submission(recording)
        }
    }

    public func collect(_ submission: Submission) throws(ProgramError) -> StepOutput {
        let recording = submission.recording!
        defer { recording.isAwaited = false }
        try onDevice { () throws(GPUError) in try recording.commands.wait() }
        return recording.output
    }

    public func discard(_ submission: Submission) { submission.recording!.isAwaited = false }

    public func walk(
        _ program: Program, _ input: StepInput, _ observe: (Program.Observation, [UInt32]) throws(ProgramError) -> Void
    ) throws(ProgramError) -> StepOutput {
        let walk = try onDevice { () throws(GPUError) in
            try scratch.bind(program)
            return try DeviceWalk(on: device, program, input)
        }
        let observations = program.observationsByOperation
        for (index, operation) in program.operations.enumerated() {
            try onDevice { () throws(GPUError) in try operation.kernel.encode(into: &walk.commands) }
            guard let found = observations[index] else { continue }
            try onDevice { () throws(GPUError) in try walk.finishPiece() }
            for observation in found {
                try observe(observation, onDevice { () throws(GPUError) in try walk.read(observation.tensor) })
            }
            try onDevice { () throws(GPUError) in try walk.beginPiece() }
        }
        return try onDevice { () throws(GPUError) in
            try walk.finishPiece()
            return try walk.output(of: program)
        }
    }
}

/// Commands of a program that runs in pieces, between which the host reads.
final class DeviceWalk {
    var commands: Commands
    private var transfer: Transfer

    /// Begins the first piece and uploads the step's inputs.
    init(on device: Device, _ program: Program, _ input: StepInput) throws(GPUError) {
        commands = try Commands(on: device)
        transfer = Transfer(on: device)
        try write(input.words, to: program.inputs)
        try beginPiece()
    }

    func beginPiece() throws(GPUError) {
        try commands.begin()
        commands.separate()
    }

    func finishPiece() throws(GPUError) {
        try commands.submit()
        try commands.wait()
    }

    func read(_ tensor: Tensor) throws(GPUError) -> [UInt32] {
        let bytes = try bytes(of: tensor.view)
        return bytes.withUnsafeBytes { elements(of: tensor, in: $0) }
    }

    func bytes(of view: BufferView) throws(GPUError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: view.byteCount)
        var failure: GPUError?
        bytes.withUnsafeMutableBytes { raw in
            do throws(GPUError) { try transfer.download(view, into: raw) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    func output(of program: Program) throws(GPUError) -> StepOutput {
        var output = StepOutput()
        if let logits = program.logits { output.logits = floats(try read(logits)) }
        if let chosen = program.chosen { output.chosen = try read(chosen) }
        return output
    }

    private func write(_ words: [UInt32], to tensor: Tensor) throws(GPUError) {
        // Steps that are queued before use the same memory.
        try beginPiece()
        try finishPiece()
        do throws(TransferError<Never>) {
            try transfer.upload(to: tensor.view) { (offset, bytes) throws(Never) in
                words.withUnsafeBytes { source in
                    bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[offset..<offset + bytes.count]))
                }
            }
        } catch {
            if case .device(let error) = error { throw error }
        }
        try transfer.finish()
    }
}
