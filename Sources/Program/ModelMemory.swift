import GPU
import Kernels

/// Memory that lasts as long as a model: weights, caches.
public protocol ModelMemory: AnyObject {
    /// Bytes allocated so far, rounded as the allocator does.
    var byteCount: Int { get }
    func makeStorage(_ label: String, byteCount: Int) throws(GPUError) -> Storage
    /// Fills a storage piece by piece. A planning memory asks for no bytes. The device may still copy the last pieces when this
    /// returns; programs that are submitted later find them.
    ///
    /// - Parameter pieceByteCount: pieces are whole multiples of this.
    func fill<E: Error>(
        _ storage: Storage, pieceByteCount: Int,
        _ produce: (_ offset: Int, _ bytes: UnsafeMutableRawBufferPointer) throws(E) -> Void
    ) throws(TransferError<E>)
    /// Runs one kernel outside of any step, and waits for it.
    func run(_ kernel: some Kernel) throws(GPUError)
    /// Waits until everything that was written has arrived.
    func settle() throws(GPUError)
}

/// A device's memory; with `onHost` also the host's, both with the same contents, for side-by-side runs.
public final class DeviceMemory: ModelMemory {
    public let device: Device
    private let onHost: Bool
    private var arena: Arena
    private var transfer: Transfer

    /// - Parameter plannedChunks: of a `PlannedMemory` in which the same storages were made: memory is allocated to fit.
    public init(on device: Device, onHost: Bool = false, plannedChunks: [Int] = []) {
        self.device = device
        self.onHost = onHost
        arena = Arena(on: device, label: "model", plannedChunks: plannedChunks)
        transfer = Transfer(on: device)
    }

    public var byteCount: Int { arena.byteCount }

    public func makeStorage(_ label: String, byteCount: Int) throws(GPUError) -> Storage {
        let rounded = roundedByteCount(byteCount)
        let storage = Storage(
            label: label, byteCount: rounded, device: try arena.allocate(byteCount: rounded, label: label),
            onHost: onHost)
        // Side by side, elements that no kernel writes must be equal too.
        if onHost { try zero(storage) }
        return storage
    }

    private func zero(_ storage: Storage) throws(GPUError) {
        do throws(TransferError<Never>) {
            try transfer.upload(to: storage.device!) { (_, bytes) throws(Never) in
                bytes.initializeMemory(as: UInt8.self, repeating: 0)
            }
        } catch {
            if case .device(let error) = error { throw error }
        }
    }

    public func fill<E: Error>(
        _ storage: Storage, pieceByteCount: Int,
        _ produce: (_ offset: Int, _ bytes: UnsafeMutableRawBufferPointer) throws(E) -> Void
    ) throws(TransferError<E>) {
        guard let host = storage.host else {
            return try transfer.upload(to: storage.device!, pieceByteCount: pieceByteCount, produce)
        }
        do throws(E) { try produce(0, host) } catch { throw .source(error) }
        do throws(TransferError<Never>) {
            try transfer.upload(to: storage.device!) { (offset, bytes) throws(Never) in
                bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: host[offset..<offset + bytes.count]))
            }
        } catch {
            if case .device(let error) = error { throw .device(error) }
        }
    }

    public func run(_ kernel: some Kernel) throws(GPUError) {
        var commands = try Commands(on: device)
        try commands.begin()
        commands.separate()
        try kernel.encode(into: &commands)
        try commands.submit()
        try commands.wait()
        if onHost { kernel.reference() }
    }

    public func settle() throws(GPUError) { try transfer.finish() }
}

/// The host's memory, for the reference.
public final class HostMemory: ModelMemory {
    public private(set) var byteCount = 0

    public init() {}

    public func makeStorage(_ label: String, byteCount: Int) -> Storage {
        let rounded = roundedByteCount(byteCount)
        self.byteCount += rounded
        return Storage(label: label, byteCount: rounded, device: nil, onHost: true)
    }

    public func fill<E: Error>(
        _ storage: Storage, pieceByteCount: Int,
        _ produce: (_ offset: Int, _ bytes: UnsafeMutableRawBufferPointer) throws(E) -> Void
    ) throws(TransferError<E>) {
        do throws(E) { try produce(0, storage.host!) } catch { throw .source(error) }
    }

    public func run(_ kernel: some Kernel) { kernel.reference() }
    public func settle() {}
}

/// Memory that is only counted: as a device would allocate it, or the host.
public final class PlannedMemory: ModelMemory {
    private var layout: ArenaLayout?
    private var hostByteCount = 0

    /// - Parameter device: nil for the host.
    public init(for device: (any Target)?) {
        layout = device.map { ArenaLayout(chunkByteCount: min(64 << 20, $0.profile.maxAllocationByteCount)) }
    }

    public var byteCount: Int { layout?.byteCount ?? hostByteCount }
    /// The argument for `DeviceMemory` that allocates the same storages.
    public var chunks: [Int] { layout?.chunks ?? [] }

    public func makeStorage(_ label: String, byteCount: Int) -> Storage {
        let rounded = roundedByteCount(byteCount)
        guard layout != nil else {
            hostByteCount += rounded
            return Storage(label: label, byteCount: rounded)
        }
        _ = layout!.place(byteCount: rounded)
        return Storage(
            label: label, byteCount: rounded,
            device: Allocation(plannedByteCount: rounded, label: label).view, onHost: false)
    }

    public func fill<E: Error>(
        _ storage: Storage, pieceByteCount: Int,
        _ produce: (_ offset: Int, _ bytes: UnsafeMutableRawBufferPointer) throws(E) -> Void
    ) throws(TransferError<E>) {}
    public func run(_ kernel: some Kernel) {}
    public func settle() {}
}

/// Whole chunks of 16 bytes, at least one.
private func roundedByteCount(_ byteCount: Int) -> Int { (max(byteCount, 4) + 15) / 16 * 16 }
