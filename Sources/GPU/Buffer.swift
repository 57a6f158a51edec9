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

/// Divides a few large allocations into ranges.
public struct Arena: ~Copyable {
    public let device: Device
    public let label: String
    private let chunkByteCount: Int
    private var chunk: Allocation?
    private var used = 0
    public private(set) var allocatedByteCount = 0

    /// Ranges start at multiples of this. Vulkan allows no device a storage-buffer alignment that does not divide it.
    public static let alignment = 256

    public init(on device: Device, label: String, chunkByteCount: Int = 64 << 20) {
        self.device = device
        self.label = label
        self.chunkByteCount = min(chunkByteCount, device.profile.maxAllocationByteCount)
    }

    public mutating func allocate(byteCount: Int, label name: String) throws(GPUError) -> BufferView {
        let rounded = (byteCount + Self.alignment - 1) / Self.alignment * Self.alignment
        allocatedByteCount += rounded
        if rounded > chunkByteCount / 4 {
            // A large range gets an allocation of its own: chunks would be left half empty.
            return try Allocation(on: device, byteCount: rounded, kind: .device, label: "\(label): \(name)")
                .view.slice(offset: 0, byteCount: byteCount)
        }
        if let chunk, used + rounded <= chunk.byteCount {
            defer { used += rounded }
            return BufferView(allocation: chunk, offset: used, byteCount: byteCount)
        }
        let fresh = try Allocation(on: device, byteCount: chunkByteCount, kind: .device, label: label)
        chunk = fresh
        used = rounded
        return BufferView(allocation: fresh, offset: 0, byteCount: byteCount)
    }
}
