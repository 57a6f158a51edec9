import GPU
import Kernels

/// Steps: recorded, queued and waited for.
extension Executor {
    /// A step begins with its inputs, and ends when its results are read.
    func openStep() { timeline?.prepare() }
    func closeStep() { timeline?.close() }

    /// Whether a step can be queued before the one before it is done. What compares or times steps takes them one by one.
    var canQueueAhead: Bool { device != nil && !runsReference && timeline == nil }

    /// Queues a step's commands: those of a step with the same key again, else new ones that `record` makes. Without a
    /// device, `record` has done all when it returns.
    ///
    /// - Parameters:
    ///   - key: all that the commands depend on; nil for commands that serve once.
    ///   - inputs: what the kernels find in `memory`.
    ///   - record: runs the step's kernels.
    func queue(
        _ key: StepKey?, inputs: [UInt32], in memory: Tensor, _ record: () throws(ModelError) -> StepOutput
    ) throws(ModelError) -> (recording: Recording?, output: StepOutput) {
        memory.storage.host.map { host in inputs.withUnsafeBytes { host.copyMemory(from: $0) } }
        guard device != nil else { return (nil, try record()) }
        // Marks differ from step to step, and a comparison stops after each kernel.
        let key = timeline == nil && !runsReference ? key : nil
        let (recording, source) = try gpu { () throws(GPUError) in
            let recording = try recordings.next(for: key, storageCount: storageCount) { () throws(GPUError) in
                try Recording(on: device!, timestampCapacity: timeline == nil ? 0 : StepTimeline.markCapacity)
            }
            return (recording, try recording.load(inputs))
        }
        if let output = recording.output(for: key, storageCount: storageCount) {
            try gpu { () throws(GPUError) in try recording.commands.replay() }
            return (recording, output)
        }
        recording.forget()
        recordedCount += 1
        current = recording
        try begin()
        // What is queued before may still run on the same memory.
        recording.commands.separate()
        enter("the inputs", "inputs")
        try copy(source, memory.view)
        let output = try record()
        if let chosen = output.chosen {
            enter("the head", "head")
            try copy(
                chosen.view, gpu { () throws(GPUError) in try recording.landing(byteCount: chosen.view.byteCount) })
        }
        try submit()
        recording.keep(output, for: key, storageCount: storageCount)
        return (recording, output)
    }

    /// Waits for a queued step; its results are then there.
    func wait(for recording: Recording) throws(ModelError) {
        try gpu { () throws(GPUError) in
            timeline?.enter("wait")
            try recording.commands.wait()
            try timeline?.finish(&recording.commands)
        }
    }

    private func begin() throws(ModelError) {
        guard let current else { return }
        try gpu { () throws(GPUError) in try current.commands.begin() }
        timeline?.begin(&current.commands)
    }

    private func submit() throws(ModelError) {
        guard let current else { return }
        timeline?.submit(&current.commands)
        try gpu { () throws(GPUError) in try current.commands.submit() }
    }

    /// Runs what is recorded so far, so that `body` can read its results, and goes on recording.
    func flushed<R>(_ body: () throws(ModelError) -> R) throws(ModelError) -> R {
        try submit()
        if let current { try wait(for: current) }
        let result = try body()
        try begin()
        return result
    }
}
