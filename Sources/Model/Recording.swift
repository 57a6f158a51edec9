import GPU
import Kernels

/// All that a decode step's commands depend on: two steps of the same key differ in their inputs alone.
///
/// What is added to the wiring and changes a dispatch's size, its push constants or its operands belongs here too.
struct StepKey: Hashable {
    var tokenCount: Int
    var pageWidth: Int
    var splitCount: Int
    var outputCount: Int
    var choice: Choice?
    /// Whether its tokens are those that the step before chose.
    var follows: Bool
}

/// What a step computes for the host.
struct StepOutput {
    /// `[rows, vocabulary]`, F32; nil if no row's are wanted.
    var logits: Tensor?
    /// Tokens chosen from the logits, as `Argmax` says.
    var chosen: Tensor?
}

/// A step's commands, with memory of its own for what the host gives and takes: one can be queued while another runs. It is
/// kept, and queued again for a step of the same key.
final class Recording {
    var commands: Commands
    private(set) var key: StepKey?
    /// Whether someone still waits for the results of the step that was queued last.
    var isAwaited = false
    private var output = StepOutput()
    private var storageCount = 0
    private var inputs: Allocation?
    private var results: Allocation?

    init(on device: Device, timestampCapacity: Int) throws(GPUError) {
        commands = try Commands(on: device, timestampCapacity: timestampCapacity)
    }

    var markedCount: Int { commands.marked.count }

    /// What the kept commands compute, if they are those of `key`.
    func output(for key: StepKey?, storageCount: Int) -> StepOutput? {
        key != nil && key == self.key && storageCount == self.storageCount ? output : nil
    }

    /// Whether it is kept for a step that would now use other memory.
    func isOutdated(storageCount: Int) -> Bool { key != nil && storageCount != self.storageCount }

    func forget() { key = nil }

    func keep(_ output: StepOutput, for key: StepKey?, storageCount: Int) {
        (self.output, self.key, self.storageCount) = (output, key, storageCount)
    }

    /// Whether the device or the host still needs what is in its memory.
    var isBusy: Bool { isAwaited || commands.isRunning }

    /// Writes the next step's inputs where the commands copy them from; the last step must be done with them.
    func load(_ words: [UInt32]) throws(GPUError) -> BufferView {
        try commands.wait()
        if inputs.map({ $0.byteCount < words.count * 4 }) ?? true {
            forget()
            inputs = try Allocation(
                on: commands.device, byteCount: words.count * 4, kind: .upload, label: "a step's inputs")
        }
        let view = inputs!.view.slice(offset: 0, byteCount: words.count * 4)
        words.withUnsafeBytes { view.mapped!.copyMemory(from: $0) }
        return view
    }

    /// Where the commands copy results to.
    func landing(byteCount: Int) throws(GPUError) -> BufferView {
        if results.map({ $0.byteCount < byteCount }) ?? true {
            results = try Allocation(
                on: commands.device, byteCount: byteCount, kind: .readback, label: "a step's results")
        }
        return results!.view.slice(offset: 0, byteCount: byteCount)
    }

    /// The first `count` words of the results, once the step is done.
    func results(_ count: Int) -> [UInt32] { Array(results!.view.mapped!.bindMemory(to: UInt32.self).prefix(count)) }
}

/// The recordings, those queued last at the end.
struct RecordingPool {
    private var recordings: [Recording] = []
    /// Two steps of a kind under way, for two kinds of steps, and some between.
    private static let most = 6

    /// One with the same key, else one that can be recorded anew.
    mutating func next(
        for key: StepKey?, storageCount: Int, make: () throws(GPUError) -> Recording
    ) throws(GPUError) -> Recording {
        recordings.removeAll { $0.isOutdated(storageCount: storageCount) && !$0.isBusy }
        let idle = recordings.indices.filter { !recordings[$0].isBusy }
        let place =
            idle.first { recordings[$0].key == key } ?? idle.first { recordings[$0].key == nil }
            ?? (recordings.count < Self.most ? nil : idle.first ?? 0)
        let recording = if let place { recordings.remove(at: place) } else { try make() }
        recordings.append(recording)
        return recording
    }
}
