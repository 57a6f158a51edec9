import CVulkan

/// Device memory with a Vulkan buffer over it, freed with its last reference; or the plan of one, which has no memory.
public final class Allocation: @unchecked Sendable {
    public enum Kind: UInt32, Sendable {
        /// For kernels; the host may not be able to see it.
        case device
        /// Written by the host, read by copies.
        case upload
        /// Written by copies, read by the host.
        case readback
    }

    public let byteCount: Int
    public let label: String
    let raw: fv_buffer
    /// Nil in a plan.
    private let device: Device?

    public init(on device: Device, byteCount: Int, kind: Kind, label: String) throws(GPUError) {
        precondition(byteCount > 0, "\(label): a buffer of \(byteCount) bytes")
        var made = fv_buffer()
        let code = fv_create_buffer(device.handle, UInt64(byteCount), fv_memory_kind(kind.rawValue), &made)
        try check(code, "vkAllocateMemory", "\(label) (\(byteCount) bytes)")
        self.device = device
        self.byteCount = byteCount
        self.label = label
        raw = made
        device.memory.withLock { $0 = ($0.current + byteCount, max($0.peak, $0.current + byteCount)) }
    }

    /// A plan: a size and a label, for dispatches that are listed and not recorded.
    public init(plannedByteCount byteCount: Int, label: String) {
        precondition(byteCount > 0, "\(label): a buffer of \(byteCount) bytes")
        self.byteCount = byteCount
        self.label = label
        raw = fv_buffer()
        device = nil
    }

    public var isPlanned: Bool { device == nil }

    deinit {
        guard let device else { return }
        withUnsafePointer(to: raw) { fv_destroy_buffer(device.handle, $0) }
        device.memory.withLock { $0.current -= byteCount }
    }

    /// The whole of it.
    public var view: BufferView { BufferView(allocation: self, offset: 0, byteCount: byteCount) }
}

/// A range of an allocation, as a kernel's binding takes it.
public struct BufferView: Sendable {
    public let allocation: Allocation
    public let offset: Int
    public let byteCount: Int

    public init(allocation: Allocation, offset: Int, byteCount: Int) {
        precondition(
            offset >= 0 && byteCount > 0 && offset + byteCount <= allocation.byteCount,
            "\(allocation.label): bytes \(offset) ..< \(offset + byteCount) of \(allocation.byteCount)")
        self.allocation = allocation
        self.offset = offset
        self.byteCount = byteCount
    }

    public func slice(offset: Int, byteCount: Int) -> BufferView {
        precondition(offset + byteCount <= self.byteCount, "\(allocation.label): slice beyond \(self.byteCount) bytes")
        return BufferView(allocation: allocation, offset: self.offset + offset, byteCount: byteCount)
    }

    /// The bytes, if the host can address them. Reading or writing them while a kernel uses them is a race.
    public var mapped: UnsafeMutableRawBufferPointer? {
        guard let base = allocation.raw.mapped else { return nil }
        return UnsafeMutableRawBufferPointer(start: base + offset, count: byteCount)
    }
}

/// Allocates ranges of a few large allocations, at the places that `ArenaLayout` computes.
public struct Arena: ~Copyable {
    public let device: Device
    public let label: String
    private var layout: ArenaLayout
    /// The allocation that small ranges share.
    private var chunk: Allocation?

    /// Ranges start at multiples of this. Vulkan allows no device a storage-buffer alignment that does not divide it.
    public static let alignment = ArenaLayout.alignment

    /// - Parameter plannedChunks: see `ArenaLayout`.
    public init(on device: Device, label: String, chunkByteCount: Int = 64 << 20, plannedChunks: [Int] = []) {
        self.device = device
        self.label = label
        layout = ArenaLayout(
            chunkByteCount: min(chunkByteCount, device.profile.maxAllocationByteCount), plannedChunks: plannedChunks)
    }

    /// Bytes of all ranges, rounded.
    public var byteCount: Int { layout.byteCount }

    public mutating func allocate(byteCount: Int, label name: String) throws(GPUError) -> BufferView {
        switch layout.place(byteCount: byteCount) {
        case .own(let rounded):
            return try Allocation(on: device, byteCount: rounded, kind: .device, label: "\(label): \(name)")
                .view.slice(offset: 0, byteCount: byteCount)
        case .newChunk(let chunkByteCount):
            let fresh = try Allocation(on: device, byteCount: chunkByteCount, kind: .device, label: label)
            chunk = fresh
            return fresh.view.slice(offset: 0, byteCount: byteCount)
        case .chunk(let offset):
            return chunk!.view.slice(offset: offset, byteCount: byteCount)
        }
    }
}

/// How an arena divides its allocations. It has no memory, so that plans can compute an arena's size in advance.
public struct ArenaLayout: Sendable {
    public enum Place: Sendable, Equatable {
        /// An allocation of its own, so that chunks are not left half empty.
        case own(byteCount: Int)
        /// The start of a new chunk.
        case newChunk(byteCount: Int)
        case chunk(offset: Int)
    }

    public static let alignment = 256
    private let chunkByteCount: Int
    /// Sizes of the chunks to come, where a plan knows them.
    private var plannedChunks: ArraySlice<Int>
    private var currentByteCount = 0
    private var ownByteCount = 0
    /// Bytes in use of each chunk.
    public private(set) var chunks: [Int] = []

    /// - Parameter plannedChunks: the `chunks` of a layout that has placed the same ranges: each then is as large as needed.
    public init(chunkByteCount: Int, plannedChunks: [Int] = []) {
        self.chunkByteCount = chunkByteCount
        self.plannedChunks = plannedChunks[...]
    }

    /// The rounded size of all ranges in bytes: the size of an arena that is made with these `chunks`.
    public var byteCount: Int { ownByteCount + chunks.reduce(0, +) }

    public mutating func place(byteCount: Int) -> Place {
        let rounded = (byteCount + Self.alignment - 1) / Self.alignment * Self.alignment
        if rounded > chunkByteCount / 4 {
            ownByteCount += rounded
            return .own(byteCount: rounded)
        }
        if let used = chunks.last, used + rounded <= currentByteCount {
            chunks[chunks.count - 1] += rounded
            return .chunk(offset: used)
        }
        currentByteCount = max(plannedChunks.popFirst() ?? chunkByteCount, rounded)
        chunks.append(rounded)
        return .newChunk(byteCount: currentByteCount)
    }
}
