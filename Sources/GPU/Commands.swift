import CVulkan

/// The moment that a mark records.
public enum TimeMark: Sendable {
    /// The device takes up the commands that follow.
    case start
    /// All earlier commands have finished.
    case end
}

/// Which of a recording's commands are timed: command n if n mod `every` = `first`.
public struct Marking: Sendable {
    public var every: Int
    public var first: Int
    public init(every: Int = 1, first: Int = 0) {
        self.every = every
        self.first = first
    }
}

/// A dispatch, copy or fill of a recording with `marking`.
public struct MarkedCommand: Sendable {
    /// The shader's name, "copy" or "fill".
    public let name: String
    /// The shader's specialisation constants, in the order of `ShaderModule.constants`.
    public let constants: [UInt32]
    /// The bytes that it reads or writes.
    public let accesses: [(view: BufferView, access: Access)]
    /// Whether a barrier precedes it.
    public let hasBarrier: Bool
    /// Indices into `Commands.timestamps()`: the end of all earlier commands, its own start and end; nil if it is not timed.
    public let marks: (before: Int, start: Int, end: Int)?
}

/// A recording of dispatches and copies, with the barriers that their reads and writes need; or a list of dispatches.
///
/// A dispatch's accesses follow from its shader's `readonly` and `writeonly` qualifiers. A command gets a barrier before it
/// if it touches a range that an earlier command since the last barrier wrote, or writes a range that one read. The model's
/// code never mentions barriers.
///
/// Commands made by `init(listingFor:)` belong to no device: they check each dispatch against a profile and keep it in
/// `dispatches`. They cannot be submitted. Copies, fills and marks leave no trace in them.
public struct Commands: ~Copyable {
    /// The device that records, or the one that a list is for.
    public let target: any Target
    public let profile: DeviceProfile
    /// Nil in a list.
    private let recorder: (device: Device, handle: OpaquePointer)?
    private var hazards = HazardTracker()
    /// Keeps the memory that recorded commands use alive until they have run.
    private var retained: [ObjectIdentifier: Allocation] = [:]
    private var submitted: UInt64?
    private let timestampCapacity: Int
    private var timestampCount = 0
    public private(set) var dispatchCount = 0
    /// A list's dispatches since `begin`; empty in a recording.
    public private(set) var dispatches: [Dispatch] = []
    /// Which commands are timed, for the profiler; nil for none.
    public var marking: Marking?
    /// The mark after the last command, if it had one.
    private var lastMark: Int?
    /// All commands of a recording with `marking`, in order.
    public private(set) var marked: [MarkedCommand] = []
    public var markedCount: Int { marked.count }

    public init(on device: Device, timestampCapacity: Int = 0) throws(GPUError) {
        var made: OpaquePointer?
        try check(
            fv_create_commands(device.handle, UInt32(timestampCapacity), &made), "vkCreateCommandPool",
            device.profile.name)
        target = device
        profile = device.profile
        self.timestampCapacity = device.profile.timestampPeriod > 0 ? timestampCapacity : 0
        recorder = (device, made!)
    }

    /// A list of dispatches. Their operands may be planned allocations.
    public init(listingFor target: any Target) {
        self.target = target
        profile = target.profile
        timestampCapacity = 0
        recorder = nil
    }

    deinit {
        guard let recorder else { return }
        // The wait fails immediately if the device is lost.
        if let submitted, fv_wait(recorder.device.handle, submitted, 10_000_000_000) == VkResult.timeout {
            // The device may still use the commands and their memory. They are never freed.
            _ = Unmanaged.passRetained(Abandoned(device: recorder.device, memory: retained))
            return
        }
        fv_destroy_commands(recorder.handle)
    }

    /// The device and memory of a submission that did not finish in time.
    private final class Abandoned {
        let device: Device
        let memory: [ObjectIdentifier: Allocation]
        init(device: Device, memory: [ObjectIdentifier: Allocation]) {
            self.device = device
            self.memory = memory
        }
    }

    /// The device that records; a list has none, and traps.
    public var device: Device { required.device }
    private var handle: OpaquePointer { required.handle }
    private var required: (device: Device, handle: OpaquePointer) {
        guard let recorder else { preconditionFailure("a list of dispatches for \(profile.name) cannot run") }
        return recorder
    }

    /// Forgets the last recording (waiting for it to finish) and starts a new one.
    public mutating func begin() throws(GPUError) {
        try wait()
        hazards = HazardTracker()
        lastMark = nil
        retained.removeAll(keepingCapacity: true)
        timestampCount = 0
        dispatchCount = 0
        dispatches.removeAll(keepingCapacity: true)
        marked.removeAll(keepingCapacity: true)
        guard let recorder else { return }
        try check(fv_begin(recorder.handle), "vkBeginCommandBuffer", profile.name)
    }

    /// Adds one dispatch of `groups` workgroups.
    public mutating func dispatch(_ shader: some ComputeShader, groups: (Int, Int, Int)) throws(GPUError) {
        try dispatch(Dispatch(shader, .fixed(groups.0, groups.1, groups.2)))
    }

    /// Adds one dispatch whose numbers of workgroups are read when it runs: three U32 at the start of `groups`. The shader
    /// that writes them keeps them within the device's limits.
    public mutating func dispatch(_ shader: some ComputeShader, indirect groups: BufferView) throws(GPUError) {
        try dispatch(Dispatch(shader, .indirect(groups)))
    }

    /// - Throws: `.notSupported` if the device's profile does not allow the dispatch; errors of making its pipeline.
    public mutating func dispatch(_ dispatch: Dispatch) throws(GPUError) {
        try dispatch.check(profile)
        dispatchCount += 1
        guard let recorder else { return dispatches.append(dispatch) }
        let pipeline = try recorder.device.pipeline(for: dispatch.module, constants: dispatch.constants)
        let accesses = dispatch.accesses
        for (view, _) in accesses { retain(view.allocation) }
        let mark = openMark(accesses)
        try record(dispatch, pipeline)
        closeMark(mark, dispatch.module.name, dispatch.constants.map(\.bits), accesses)
    }

    private func record(_ dispatch: Dispatch, _ pipeline: Pipeline) throws(GPUError) {
        let ranges = dispatch.views.map {
            fv_range(buffer: $0.allocation.raw.buffer, offset: UInt64($0.offset), byteCount: UInt64($0.byteCount))
        }
        let words = dispatch.pushConstants
        let byteCount = UInt32(words.count * 4)
        let code = withUnsafePointer(to: pipeline.raw) {
            switch dispatch.groups {
            case .fixed(let x, let y, let z):
                fv_dispatch(
                    handle, $0, ranges, UInt32(ranges.count), words, byteCount, UInt32(x), UInt32(y), UInt32(z))
            case .indirect(let view):
                fv_dispatch_indirect(
                    handle, $0, ranges, UInt32(ranges.count), words, byteCount, view.allocation.raw.buffer,
                    UInt64(view.offset))
            }
        }
        try check(code, "vkAllocateDescriptorSets", "kernel \(dispatch.module.name)")
    }

    public mutating func copy(from source: BufferView, to destination: BufferView) {
        precondition(
            source.byteCount == destination.byteCount, "copy of \(source.byteCount) bytes into \(destination.byteCount)"
        )
        guard let handle = recorder?.handle else { return }
        retain(source.allocation)
        retain(destination.allocation)
        let accesses: [(BufferView, Access)] = [(source, .read), (destination, .write)]
        let mark = openMark(accesses)
        fv_copy(
            handle, source.allocation.raw.buffer, UInt64(source.offset), destination.allocation.raw.buffer,
            UInt64(destination.offset), UInt64(source.byteCount))
        closeMark(mark, "copy", [], accesses)
    }

    /// Fills whole 32-bit words.
    public mutating func fill(_ view: BufferView, word: UInt32) {
        precondition(
            view.byteCount % 4 == 0 && view.offset % 4 == 0, "fill of \(view.byteCount) bytes at \(view.offset)")
        guard let handle = recorder?.handle else { return }
        retain(view.allocation)
        let mark = openMark([(view, .write)])
        fv_fill(handle, view.allocation.raw.buffer, UInt64(view.offset), UInt64(view.byteCount), word)
        closeMark(mark, "fill", [], [(view, .write)])
    }

    /// A barrier between all earlier commands and all later ones, whatever they touch.
    public mutating func separate() {
        guard let handle = recorder?.handle else { return }
        fv_barrier(handle)
        hazards = HazardTracker()
    }

    /// Marks a point in time; the result is the mark's index into `timestamps()`, or nil if the capacity is used up or the
    /// device has no timestamps.
    public mutating func timestamp(_ mark: TimeMark = .end) -> Int? {
        guard timestampCount < timestampCapacity else { return nil }
        fv_timestamp(handle, mark == .start ? FV_MARK_START : FV_MARK_END, UInt32(timestampCount))
        defer { timestampCount += 1 }
        return timestampCount
    }

    /// Puts the barrier that these accesses need before their command, and marks around it if the command is timed.
    private mutating func openMark(_ accesses: [(view: BufferView, access: Access)]) -> (
        hasBarrier: Bool, before: Int, start: Int?
    ) {
        guard let marking, marked.count % marking.every == marking.first, timestampCount + 3 <= timestampCapacity else {
            return (order(accesses), 0, nil)
        }
        let before = lastMark ?? timestamp(.end)!
        let hasBarrier = order(accesses)
        return (hasBarrier, before, timestamp(.start))
    }

    private mutating func closeMark(
        _ mark: (hasBarrier: Bool, before: Int, start: Int?), _ name: String, _ constants: [UInt32],
        _ accesses: [(BufferView, Access)]
    ) {
        guard marking != nil else { return }
        lastMark = mark.start == nil ? nil : timestamp(.end)
        marked.append(
            MarkedCommand(
                name: name, constants: constants, accesses: accesses.map { (view: $0.0, access: $0.1) },
                hasBarrier: mark.hasBarrier, marks: lastMark.map { (mark.before, mark.start!, $0) }))
    }

    /// Ends the recording and queues it. After `wait`, the host sees all results of the commands.
    public mutating func submit() throws(GPUError) {
        fv_barrier_to_host(handle)
        try check(fv_end(handle), "vkEndCommandBuffer", profile.name)
        submitted = try device.submit(handle)
    }

    /// Queues the ended recording once more as it is, after its last submission is done.
    public mutating func replay() throws(GPUError) {
        try wait()
        submitted = try device.submit(handle)
    }

    /// Whether the last submission is not known to be done.
    public var isRunning: Bool { submitted.map { fv_wait(device.handle, $0, 0) != 0 } ?? false }

    /// Waits until the last submission is done.
    public mutating func wait() throws(GPUError) {
        guard let value = submitted else { return }
        try device.wait(for: value)
        submitted = nil
    }

    /// The marks' times in nanoseconds on the device's clock, which `Device.clocks()` reads too; after `wait`.
    public mutating func timestamps() throws(GPUError) -> [Double] {
        guard timestampCount > 0 else { return [] }
        var ticks = [UInt64](repeating: 0, count: timestampCount)
        try check(
            fv_read_timestamps(handle, UInt32(timestampCount), &ticks), "vkGetQueryPoolResults", profile.name)
        // A counter of fewer than 64 bits wraps around; marks are in order, so one below the first came after that.
        let wrap = profile.timestampValidBits < 64 ? UInt64(1) << profile.timestampValidBits : 0
        let first = ticks[0]
        return ticks.map { Double($0 < first ? $0 &+ wrap : $0) * profile.timestampPeriod }
    }

    private mutating func retain(_ allocation: Allocation) {
        precondition(!allocation.isPlanned, "\(allocation.label): planned, and used by a recorded command")
        retained[ObjectIdentifier(allocation)] = allocation
    }

    /// Whether a barrier was needed.
    private mutating func order(_ accesses: [(view: BufferView, access: Access)]) -> Bool {
        let needsBarrier = hazards.needsBarrier(before: accesses)
        if needsBarrier { fv_barrier(handle) }
        return needsBarrier
    }
}
