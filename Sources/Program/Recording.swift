import GPU
import Kernels

/// A program's commands, with host memory of its own for the step's inputs and results: one can be queued while another runs.
/// It is kept, and queued again for steps of the same shape.
final class Recording {
    var commands: Commands
    /// The recorded program; nil if there is none or its recording is incomplete.
    private(set) var program: Program?
    /// Whether someone still needs the results of the last submission.
    var isAwaited = false
    private var inputs: Allocation?
    private var results: Allocation?

    init(on device: Device, timestampCapacity: Int = 0) throws(GPUError) {
        commands = try Commands(on: device, timestampCapacity: timestampCapacity)
    }

    var isBusy: Bool { isAwaited || commands.isRunning }

    /// Records the program.
    ///
    /// - Parameters:
    ///   - willRecord: called after the commands have begun.
    ///   - encode: records one operation's commands.
    func record(
        _ program: Program, willRecord: (inout Commands) -> Void = { _ in },
        encode: (Program.Operation, inout Commands) throws(GPUError) -> Void
    ) throws(GPUError) {
        try commands.wait()
        self.program = nil
        try reserve(program)
        try commands.begin()
        willRecord(&commands)
        // Steps that are queued before may still use the same memory.
        commands.separate()
        commands.copy(from: inputs!.view.slice(offset: 0, byteCount: program.inputs.byteCount), to: program.inputs.view)
        for operation in program.operations { try encode(operation, &commands) }
        var offset = 0
        for tensor in [program.chosen, program.logits].compactMap({ $0 }) {
            commands.copy(from: tensor.view, to: results!.view.slice(offset: offset, byteCount: tensor.byteCount))
            offset += tensor.byteCount
        }
        self.program = program
    }

    /// Writes a step's inputs where the commands read them. The last submission must be done.
    func load(_ words: [UInt32]) {
        words.withUnsafeBytes { inputs!.view.mapped![..<$0.count].copyBytes(from: $0) }
    }

    /// The results, once the submission is done.
    var output: StepOutput {
        guard let program, program.resultByteCount > 0 else { return StepOutput() }
        let bytes = UnsafeRawBufferPointer(results!.view.mapped!)
        var output = StepOutput()
        var offset = 0
        if let chosen = program.chosen {
            output.chosen = elements(of: chosen, in: UnsafeRawBufferPointer(rebasing: bytes[..<chosen.byteCount]))
            offset = chosen.byteCount
        }
        if let logits = program.logits {
            output.logits = floats(elements(of: logits, in: UnsafeRawBufferPointer(rebasing: bytes[offset...])))
        }
        return output
    }

    /// Host memory that the device can copy from and to. Commands that use the old one are gone by then.
    private func reserve(_ program: Program) throws(GPUError) {
        if inputs.map({ $0.byteCount < program.inputs.byteCount }) ?? true {
            inputs = try Allocation(
                on: commands.device, byteCount: program.inputs.byteCount, kind: .upload, label: "a step's inputs")
        }
        let byteCount = program.resultByteCount
        if byteCount > 0, results.map({ $0.byteCount < byteCount }) ?? true {
            results = try Allocation(
                on: commands.device, byteCount: byteCount, kind: .readback, label: "a step's results")
        }
    }
}

/// Recordings by shape, the last used at the end.
struct RecordingPool {
    private var recordings: [Recording] = []
    /// Two steps of a shape under way, for a few shapes.
    private static let maximumCount = 8

    /// One that holds this shape's commands and is free, else the one that was unused longest, or a new one.
    mutating func next(
        for shape: StepShape, make: () throws(GPUError) -> Recording
    ) throws(GPUError) -> Recording {
        let idle = recordings.indices.filter { !recordings[$0].isBusy }
        let place =
            idle.first { recordings[$0].program?.shape == shape } ?? idle.first { recordings[$0].program == nil }
            ?? (recordings.count < Self.maximumCount ? nil : idle.first)
        let recording = if let place { recordings.remove(at: place) } else { try make() }
        recordings.append(recording)
        return recording
    }

    /// A program of this shape that one of the recordings holds.
    func program(_ shape: StepShape) -> Program? { recordings.lazy.compactMap(\.program).first { $0.shape == shape } }
}
