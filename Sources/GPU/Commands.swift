import CVulkan

/// Which moment a mark catches.
public enum TimeMark: Sendable {
    /// When the device takes up what follows.
    case start
    /// When everything before has finished.
    case end
}

/// Which of a recording's commands are put between marks: those whose number n has n mod `every` = `first`.
public struct Marking: Sendable {
    public var every: Int
    public var first: Int
    public init(every: Int = 1, first: Int = 0) {
        self.every = every
        self.first = first
    }
}

/// A dispatch, copy or fill of a recording that is marked.
public struct MarkedCommand: Sendable {
    /// The shader's name, "copy" or "fill".
    public let name: String
    /// The shader's specialisation constants, in the order of `ShaderModule.constants`.
    public let constants: [UInt32]
    /// The bytes that it reads or writes.
    public let accesses: [(view: BufferView, access: Access)]
    /// Whether it waited for what came before.
    public let hasBarrier: Bool
    /// Places in `Commands.timestamps()`: the end of what came before, its own start and end; nil if it has no marks.
    public let marks: (before: Int, start: Int, end: Int)?
}

/// A pipeline that a dispatch needs: what `Device.pipeline(for:constants:)` takes.
public struct NeededPipeline: Sendable {
    public let module: ShaderModule
    public let constants: [(id: UInt32, bits: UInt32)]
}

/// A recording of dispatches and copies, with the barriers that their reads and writes ask for.
///
/// What a dispatch reads and writes is known from its shader's `readonly` and `writeonly` qualifiers. A barrier is put
/// before a command that touches a range which an earlier command since the last barrier wrote, or that writes a range
/// which one read. The model's code never mentions barriers.
public struct Commands: ~Copyable {
    public let device: Device
    private let handle: OpaquePointer
    private var hazards = HazardTracker()
    /// Keeps what the recorded commands use alive until they have run.
    private var retained: [ObjectIdentifier: Allocation] = [:]
    private var submitted: UInt64?
    private let timestampCapacity: Int
    private var timestampCount = 0
    public private(set) var dispatchCount = 0
    /// Which commands are put between marks in time, for the profiler; nil for none.
    public var marking: Marking?
    /// The mark after the last command, if it had one.
    private var lastMark: Int?
    /// For tests of profiles: this part of each dispatch's workgroups runs again after it.
    public var repeatedShare = 0.0
    /// All commands of a recording that is marked, in order.
    public private(set) var marked: [MarkedCommand] = []
    /// Nothing is recorded: a dispatch has its limits checked and its pipeline added to `neededPipelines`. The caller
    /// makes those, in whatever order and on however many threads.
    public var listsPipelinesOnly = false
    /// The pipelines of the dispatches since `begin` while `listsPipelinesOnly`, each once, in order of first need.
    public private(set) var neededPipelines: [NeededPipeline] = []
    private var listed: Set<PipelineKey> = []

    public init(on device: Device, timestampCapacity: Int = 0) throws(GPUError) {
        var made: OpaquePointer?
        try check(
            fv_create_commands(device.handle, UInt32(timestampCapacity), &made), "vkCreateCommandPool",
            device.profile.name)
        self.device = device
        self.timestampCapacity = device.profile.timestampPeriod > 0 ? timestampCapacity : 0
        handle = made!
    }

    deinit {
        // An unfinished submission must not lose its command buffer; a lost device has nothing left to wait for.
        if let submitted { _ = fv_wait(device.handle, submitted, 10_000_000_000) }
        fv_destroy_commands(handle)
    }

    /// Forgets the last recording (waiting for it to finish) and starts a new one.
    public mutating func begin() throws(GPUError) {
        try wait()
        hazards = HazardTracker()
        lastMark = nil
        retained.removeAll(keepingCapacity: true)
        timestampCount = 0
        dispatchCount = 0
        marked.removeAll(keepingCapacity: true)
        neededPipelines.removeAll(keepingCapacity: true)
        listed.removeAll(keepingCapacity: true)
        try check(fv_begin(handle), "vkBeginCommandBuffer", device.profile.name)
    }

    /// Records one dispatch of `groups` workgroups.
    public mutating func dispatch(_ shader: some ComputeShader, groups: (Int, Int, Int)) throws(GPUError) {
        let name = type(of: shader).module.name
        let most = device.profile.maxWorkgroupCount
        precondition(groups.0 > 0 && groups.1 > 0 && groups.2 > 0, "\(name): \(groups) workgroups")
        guard groups.0 <= most[0], groups.1 <= most[1], groups.2 <= most[2] else {
            throw GPUError(
                call: "vkCmdDispatch", result: .notSupported,
                object: "kernel \(name): \(groups) workgroups where the device takes \(most)")
        }
        try dispatch(shader, .fixed(groups.0, groups.1, groups.2))
    }

    /// Records one dispatch whose numbers of workgroups are read when it runs: three U32 at the start of `groups`. What
    /// writes them keeps them within the device's limits.
    public mutating func dispatch(_ shader: some ComputeShader, indirect groups: BufferView) throws(GPUError) {
        precondition(
            groups.byteCount >= 12 && groups.offset % 4 == 0,
            "\(groups.allocation.label): workgroups at \(groups.offset)")
        try dispatch(shader, .indirect(groups))
    }

    private enum Workgroups {
        case fixed(Int, Int, Int)
        case indirect(BufferView)
    }

    private mutating func dispatch(_ shader: some ComputeShader, _ groups: Workgroups) throws(GPUError) {
        let module = type(of: shader).module
        let views = shader.views
        let limits = device.profile
        var ranges: [fv_range] = []
        ranges.reserveCapacity(views.count)
        for (view, binding) in zip(views, module.bindings) {
            precondition(
                view.offset % limits.storageBufferAlignment == 0,
                "\(module.name): \(binding.name) starts at \(view.offset), not a multiple of \(limits.storageBufferAlignment)"
            )
            guard view.byteCount <= limits.maxStorageBufferRange else {
                throw GPUError(
                    call: "vkUpdateDescriptorSets", result: .notSupported,
                    object:
                        "kernel \(module.name): \(binding.name) of \(view.byteCount) bytes where the device binds \(limits.maxStorageBufferRange)"
                )
            }
            ranges.append(
                fv_range(
                    buffer: view.allocation.raw.buffer, offset: UInt64(view.offset), byteCount: UInt64(view.byteCount)))
            if !listsPipelinesOnly { retain(view.allocation) }
        }
        if listsPipelinesOnly { return list(module, shader.constantWords) }
        let pipeline = try device.pipeline(for: module, constants: shader.constantWords)
        let words = shader.pushConstantWords
        var accesses = zip(views, module.bindings).map { ($0, $1.access) }
        if case .indirect(let view) = groups {
            accesses.append((view, .read))
            retain(view.allocation)
        }
        let mark = openMark(accesses)
        try record(groups, pipeline, ranges, words)
        if repeatedShare > 0 { try repeatPart(of: groups, pipeline, ranges, words) }
        closeMark(mark, module.name, shader.constantWords.map(\.bits), accesses)
        dispatchCount += 1
    }

    private mutating func list(_ module: ShaderModule, _ constants: [(id: UInt32, bits: UInt32)]) {
        let key = PipelineKey(name: module.name, hash: module.hash, constants: constants.map(\.bits))
        guard listed.insert(key).inserted else { return }
        neededPipelines.append(NeededPipeline(module: module, constants: constants))
    }

    private func record(
        _ groups: Workgroups, _ pipeline: Pipeline, _ ranges: [fv_range], _ words: [UInt32]
    ) throws(GPUError) {
        let byteCount = UInt32(words.count * 4)
        let code = withUnsafePointer(to: pipeline.raw) {
            switch groups {
            case .fixed(let x, let y, let z):
                fv_dispatch(
                    handle, $0, ranges, UInt32(ranges.count), words, byteCount, UInt32(x), UInt32(y), UInt32(z))
            case .indirect(let view):
                fv_dispatch_indirect(
                    handle, $0, ranges, UInt32(ranges.count), words, byteCount, view.allocation.raw.buffer,
                    UInt64(view.offset))
            }
        }
        try check(code, "vkAllocateDescriptorSets", "kernel \(pipeline.module.name)")
    }

    private func repeatPart(
        of groups: Workgroups, _ pipeline: Pipeline, _ ranges: [fv_range], _ words: [UInt32]
    ) throws(GPUError) {
        // What an indirect dispatch does is not the host's to cut.
        guard case .fixed(let x, let y, let z) = groups else { return }
        fv_barrier(handle)
        // The longest side is cut: what is left is nearest to the share.
        var sides = [x, y, z]
        let longest = sides.indices.max { sides[$0] < sides[$1] }!
        sides[longest] = max(1, Int((Double(sides[longest]) * repeatedShare).rounded()))
        try record(.fixed(sides[0], sides[1], sides[2]), pipeline, ranges, words)
    }

    public mutating func copy(from source: BufferView, to destination: BufferView) {
        precondition(
            source.byteCount == destination.byteCount, "copy of \(source.byteCount) bytes into \(destination.byteCount)"
        )
        if listsPipelinesOnly { return }
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
        if listsPipelinesOnly { return }
        retain(view.allocation)
        let mark = openMark([(view, .write)])
        fv_fill(handle, view.allocation.raw.buffer, UInt64(view.offset), UInt64(view.byteCount), word)
        closeMark(mark, "fill", [], [(view, .write)])
    }

    /// Has everything before end before anything after begins, whatever either touches.
    public mutating func separate() {
        if listsPipelinesOnly { return }
        fv_barrier(handle)
        hazards = HazardTracker()
    }

    /// Marks a point in time; the index is the mark's place in `timestamps()`. Nil where the capacity is used up or the
    /// device has no timestamps.
    public mutating func timestamp(_ mark: TimeMark = .end) -> Int? {
        guard timestampCount < timestampCapacity, !listsPipelinesOnly else { return nil }
        fv_timestamp(handle, mark == .start ? FV_MARK_START : FV_MARK_END, UInt32(timestampCount))
        defer { timestampCount += 1 }
        return timestampCount
    }

    /// Puts the barrier before a command that its accesses ask for, between two marks if the command is to be marked.
    private mutating func openMark(_ accesses: [(BufferView, Access)]) -> (hasBarrier: Bool, before: Int, start: Int?) {
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

    /// Ends the recording and queues it. What it wrote is visible to the host after `wait`.
    public mutating func submit() throws(GPUError) {
        fv_barrier_to_host(handle)
        try check(fv_end(handle), "vkEndCommandBuffer", device.profile.name)
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
            fv_read_timestamps(handle, UInt32(timestampCount), &ticks), "vkGetQueryPoolResults", device.profile.name)
        // Counters of fewer bits start again at 0; marks are in order, so a lower one came after that.
        let wrap = device.profile.timestampValidBits < 64 ? UInt64(1) << device.profile.timestampValidBits : 0
        let first = ticks[0]
        return ticks.map { Double($0 < first ? $0 &+ wrap : $0) * device.profile.timestampPeriod }
    }

    private mutating func retain(_ allocation: Allocation) { retained[ObjectIdentifier(allocation)] = allocation }

    /// Whether a barrier was needed.
    private mutating func order(_ accesses: [(BufferView, Access)]) -> Bool {
        let needsBarrier = hazards.needsBarrier(before: accesses)
        if needsBarrier { fv_barrier(handle) }
        return needsBarrier
    }
}
