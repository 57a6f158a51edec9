/// Copies bytes between the host and device memory: directly if the host can address it, else through two staging buffers in
/// turn, so that the host fills one while the device copies the other.
public struct Transfer: ~Copyable {
    private let device: Device
    private let slotByteCount: Int
    private var slots: [Allocation] = []
    private var commands: [CommandsBox] = []
    private var next = 0

    /// A class, because arrays cannot hold noncopyable values.
    private final class CommandsBox {
        var commands: Commands
        init(_ device: Device) throws(GPUError) { commands = try Commands(on: device) }
    }

    public init(on device: Device, slotByteCount: Int = 16 << 20) {
        self.device = device
        self.slotByteCount = slotByteCount
    }

    /// Fills `destination` piece by piece: `produce` writes the bytes from an offset on into the memory passed to it.
    ///
    /// The device may still copy the last pieces when this returns; commands queued later see them after
    /// `Commands.separate`. Pieces are whole multiples of `pieceByteCount` (a row, say) if that fits a staging buffer.
    public mutating func upload<E: Error>(
        to destination: BufferView, pieceByteCount: Int = 4,
        _ produce: (_ offset: Int, _ bytes: UnsafeMutableRawBufferPointer) throws(E) -> Void
    ) throws(TransferError<E>) {
        if let mapped = destination.mapped {
            do { try produce(0, mapped) } catch { throw .source(error) }
            return
        }
        let step = max(pieceByteCount, slotByteCount / pieceByteCount * pieceByteCount)
        var offset = 0
        while offset < destination.byteCount {
            let count = min(step, destination.byteCount - offset)
            do { try prepareSlot(byteCount: count) } catch { throw .device(error) }
            let staging = slots[next].view.slice(offset: 0, byteCount: count)
            do { try produce(offset, staging.mapped!) } catch { throw .source(error) }
            do {
                try commands[next].commands.begin()
                // Earlier commands may still use the same memory.
                commands[next].commands.separate()
                commands[next].commands.copy(from: staging, to: destination.slice(offset: offset, byteCount: count))
                try commands[next].commands.submit()
            } catch { throw .device(error) }
            offset += count
            next = 1 - next
        }
    }

    /// Waits until every upload has arrived.
    public mutating func finish() throws(GPUError) {
        for box in commands { try box.commands.wait() }
    }

    /// Copies device memory to the host.
    public mutating func download(_ source: BufferView, into bytes: UnsafeMutableRawBufferPointer) throws(GPUError) {
        precondition(bytes.count == source.byteCount, "download of \(source.byteCount) bytes into \(bytes.count)")
        if let mapped = source.mapped {
            bytes.copyMemory(from: UnsafeRawBufferPointer(mapped))
            return
        }
        let landing = try Allocation(on: device, byteCount: source.byteCount, kind: .readback, label: "readback")
        var copy = try Commands(on: device)
        try copy.begin()
        copy.separate()
        copy.copy(from: source, to: landing.view)
        try copy.submit()
        try copy.wait()
        bytes.copyMemory(from: UnsafeRawBufferPointer(landing.view.mapped!))
    }

    /// Makes or enlarges the next staging buffer, after waiting for its last copy.
    private mutating func prepareSlot(byteCount: Int) throws(GPUError) {
        while commands.count < 2 { commands.append(try CommandsBox(device)) }
        while slots.count < 2 {
            slots.append(try Allocation(on: device, byteCount: slotByteCount, kind: .upload, label: "staging"))
        }
        try commands[next].commands.wait()
        if slots[next].byteCount < byteCount {
            slots[next] = try Allocation(on: device, byteCount: byteCount, kind: .upload, label: "staging")
        }
    }
}

/// The cause of a failed upload: the source of the bytes, or the device.
public enum TransferError<E: Error>: Error {
    case source(E)
    case device(GPUError)
}
