import GPU
import Kernels
import Numerics

/// Runs kernels: on a device, by their references, or both side by side; or runs nothing and counts memory.
///
/// The model's wiring is the same for all of them. Side by side, each kernel's outputs are compared as soon as they are
/// there; the first that parts is named, and the device's results go on, so that errors do not add up.
public final class Executor {
    public let device: Device?
    /// The device whose choice of variants holds: `device`, or the one that memory is counted for.
    public let target: Device?
    public let runsReference: Bool
    /// Memory is counted and not allocated, nothing is read, written or run.
    public let onlyCounts: Bool
    private var arena: Arena?
    private var transfer: Transfer?
    var recordings = RecordingPool()
    /// What `run` records into.
    var current: Recording?
    /// Counts the storages that were made: a recording does not know those made after it.
    var storageCount = 0
    /// Steps whose commands were recorded rather than queued again.
    var recordedCount = 0
    /// Of an executor that lists pipelines.
    private var listing: Commands?
    /// What runs now, for error messages and profiles: "layer 3", and "attention" of it.
    public private(set) var place = ""
    private var operation = ""
    var timeline: StepTimeline?
    /// Bytes that were asked for so far.
    public private(set) var byteCount = 0

    /// - Parameters:
    ///   - device: nil for the reference alone.
    ///   - check: run the reference beside the device.
    public init(device: Device?, check: Bool) throws(ModelError) {
        self.device = device
        target = device
        runsReference = device == nil || check
        onlyCounts = false
        guard let device else { return }
        arena = Arena(on: device, label: "model")
        transfer = Transfer(on: device)
    }

    private init(countingFor target: Device?, lists: Bool) throws(ModelError) {
        device = lists ? target : nil
        self.target = target
        runsReference = false
        onlyCounts = true
        guard let device else { return }
        try gpu { () throws(GPUError) in
            listing = Commands(listingFor: device)
        }
    }

    /// What runs from now on.
    func enter(_ place: String? = nil, _ operation: String? = nil) {
        self.place = place ?? self.place
        self.operation = operation ?? self.operation
    }

    func enter(operation: String) { enter(nil, operation) }

    /// Has the steps from now on recorded; nil ends that. Nothing to record without a device.
    func record(into timeline: StepTimeline?) {
        guard device != nil else { return }
        recordings = RecordingPool()
        self.timeline = timeline
    }

    /// For plans: see `onlyCounts`.
    public static func counting(for device: Device? = nil) throws(ModelError) -> Executor {
        try Executor(countingFor: device, lists: false)
    }

    /// Counts as well, and lists the pipelines of what it is given to run, as `device` would run it.
    static func listing(for device: Device) throws(ModelError) -> Executor {
        try Executor(countingFor: device, lists: true)
    }

    /// What a listing executor has found so far, in order of first need.
    var neededPipelines: [NeededPipeline] { listing?.dispatches.neededPipelines ?? [] }

    // MARK: Memory

    public func makeStorage(_ label: String, byteCount: Int) throws(ModelError) -> Storage {
        let rounded = (max(byteCount, 4) + 15) / 16 * 16
        let view: BufferView? =
            if device != nil, onlyCounts {
                Allocation(plannedByteCount: rounded, label: label).view
            } else if device != nil {
                try gpu { () throws(GPUError) in try arena!.allocate(byteCount: rounded, label: label) }
            } else {
                nil
            }
        self.byteCount += (rounded + Arena.alignment - 1) / Arena.alignment * Arena.alignment
        storageCount += 1
        let storage = Storage(label: label, byteCount: rounded, device: view, onHost: runsReference)
        // Side by side, elements that no kernel writes must be equal too.
        if let view, runsReference { try write(to: storage, view) { _, bytes throws(ModelError) in zero(bytes) } }
        return storage
    }

    /// Fills storage piece by piece; pieces are whole multiples of `pieceByteCount`. The device may still copy the last ones
    /// when this returns, while the caller reads what comes next; what runs later finds them.
    public func fill(
        _ storage: Storage, pieceByteCount: Int = 4,
        _ produce: (_ offset: Int, _ bytes: UnsafeMutableRawBufferPointer) throws(ModelError) -> Void
    ) throws(ModelError) {
        if onlyCounts { return }
        guard let host = storage.host else {
            return try write(to: storage, storage.device!, pieceByteCount: pieceByteCount, produce)
        }
        try produce(0, host)
        guard let view = storage.device else { return }
        try write(to: storage, view) { offset, bytes throws(ModelError) in
            bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: host[offset..<offset + bytes.count]))
        }
    }

    /// Writes a tensor that has no padding.
    public func set(_ tensor: Tensor, to words: [UInt32]) throws(ModelError) {
        precondition(
            tensor.byteOffset == 0 && words.count * 4 == tensor.byteCount, "\(tensor.label): \(words.count) words")
        try fill(tensor.storage) { offset, bytes throws(ModelError) in
            words.withUnsafeBytes { source in
                let part = source[min(offset, source.count)..<min(offset + bytes.count, source.count)]
                bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: part))
            }
        }
    }

    /// The tensor's elements without padding.
    public func floats(_ tensor: Tensor) throws(ModelError) -> [Float] { try elements(tensor) }
    public func words(_ tensor: Tensor) throws(ModelError) -> [UInt32] { try elements(tensor) }

    private func elements<Element: BitwiseCopyable>(_ tensor: Tensor) throws(ModelError) -> [Element] {
        let bytes = try read(tensor)
        return bytes.withUnsafeBytes { raw in
            [Element](unsafeUninitializedCapacity: tensor.rows * tensor.columns) { values, count in
                for row in 0..<tensor.rows {
                    for column in 0..<tensor.columns {
                        values[count] = raw.load(
                            fromByteOffset: (row * tensor.pitch + column) * 4, as: Element.self)
                        count += 1
                    }
                }
            }
        }
    }

    private func read(_ tensor: Tensor) throws(ModelError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: tensor.byteCount)
        guard device != nil else {
            bytes.withUnsafeMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer(tensor.hostBytes!)) }
            return bytes
        }
        try download(tensor.view, into: &bytes)
        return bytes
    }

    private func download(_ view: BufferView, into bytes: inout [UInt8]) throws(ModelError) {
        var failure: GPUError?
        bytes.withUnsafeMutableBytes { raw in
            do throws(GPUError) { try transfer!.download(view, into: raw) } catch { failure = error }
        }
        if let failure { throw .failed(failure.description) }
    }

    private func write(
        to storage: Storage, _ view: BufferView, pieceByteCount: Int = 4,
        _ produce: (_ offset: Int, _ bytes: UnsafeMutableRawBufferPointer) throws(ModelError) -> Void
    ) throws(ModelError) {
        do throws(TransferError<ModelError>) {
            try transfer!.upload(to: view, pieceByteCount: pieceByteCount, produce)
        } catch {
            switch error {
            case .source(let error): throw error
            case .device(let error): throw .failed(error.description)
            }
        }
    }

    /// Waits until all that was written has arrived. Steps need not: the device does one after the other.
    func settle() throws(ModelError) {
        guard device != nil, !onlyCounts else { return }
        try gpu { () throws(GPUError) in try transfer!.finish() }
    }

    // MARK: Work

    public func run(_ kernel: some Kernel) throws(ModelError) {
        if onlyCounts {
            if listing != nil { try gpu { () throws(GPUError) in try kernel.encode(into: &listing!) } }
            return
        }
        if device != nil {
            try record(type(of: kernel).name, kernel.summary, kernel.cost, choice(of: kernel)) {
                (commands) throws(GPUError) in
                try kernel.encode(into: &commands)
            }
        }
        guard runsReference else { return }
        kernel.reference()
        if device != nil { try compare(kernel) }
    }

    /// Runs one kernel outside of any step, and waits for it.
    func runAlone(_ kernel: some Kernel) throws(ModelError) {
        if onlyCounts { return }
        if let device {
            try gpu { () throws(GPUError) in
                var commands = try Commands(on: device)
                try commands.begin()
                commands.separate()
                try kernel.encode(into: &commands)
                try commands.submit()
                try commands.wait()
            }
        }
        if runsReference { kernel.reference() }
    }

    /// Zeroes a tensor, padding included.
    public func clear(_ tensor: Tensor) throws(ModelError) {
        if onlyCounts { return }
        if device != nil {
            try record(
                "fill", "\(tensor.rows) × \(tensor.columns)", Cost(byteCount: tensor.byteCount, flopCount: 0)
            ) { $0.fill(tensor.view, word: 0) }
        }
        if let host = tensor.hostBytes { zero(host) }
    }

    func copy(_ source: BufferView, _ destination: BufferView) throws(ModelError) {
        try record("copy", "\(source.byteCount) bytes", Cost(byteCount: 2 * source.byteCount, flopCount: 0)) {
            $0.copy(from: source, to: destination)
        }
    }

    /// Records commands, and tells the timeline of them.
    private func record(
        _ name: String, _ summary: @autoclosure () -> String, _ cost: @autoclosure () -> Cost,
        _ choice: @autoclosure () -> (name: String, variant: String, variants: [String])? = nil,
        _ body: (inout Commands) throws(GPUError) -> Void
    ) throws(ModelError) {
        let first = current!.markedCount
        try gpu { () throws(GPUError) in try body(&current!.commands) }
        timeline?.add(name, summary(), cost(), place, operation, choice(), first..<current!.markedCount)
    }

    private func choice(of kernel: some Kernel) -> (name: String, variant: String, variants: [String])? {
        guard let device, let kernel = kernel as? any ChosenKernel else { return nil }
        return (
            kernel.choice, kernel.variant(on: device).name, kernel.variants(on: device.profile).map(\.name)
        )
    }

    /// Runs the recorded kernel now, compares its outputs with the reference's, and carries the device's on.
    private func compare(_ kernel: some Kernel) throws(ModelError) {
        let tolerance = kernel.tolerance(on: device!)
        try flushed { () throws(ModelError) in
            for output in kernel.outputs {
                var bytes = [UInt8](repeating: 0, count: output.storage.byteCount)
                try download(output.storage.device!, into: &bytes)
                if let failure = SelfTest.difference(output, found: bytes, tolerance: tolerance) {
                    throw .failed(
                        "--check: \(place): kernel \(type(of: kernel).name) parts from its reference: \(failure)")
                }
                bytes.withUnsafeBytes { output.storage.host!.copyMemory(from: $0) }
            }
        }
    }

    func gpu<R>(_ body: () throws(GPUError) -> R) throws(ModelError) -> R {
        do throws(GPUError) { return try body() } catch { throw .failed(error.description) }
    }
}

extension Tensor {
    /// Its elements' bytes on the host.
    fileprivate var hostBytes: UnsafeMutableRawBufferPointer? {
        storage.host.map { UnsafeMutableRawBufferPointer(rebasing: $0[byteOffset..<byteOffset + byteCount]) }
    }
}

private func zero(_ bytes: UnsafeMutableRawBufferPointer) { bytes.initializeMemory(as: UInt8.self, repeating: 0) }
