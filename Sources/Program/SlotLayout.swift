import GPU
import Kernels

/// The places of a program's slots in one range of scratch memory.
///
/// Operations between two barriers form an epoch: within one the device may run them in any order. A slot is live from the
/// first to the last epoch that touches it, and slots share memory only if their epochs are disjoint: a barrier that the
/// data asks for stands between their uses already, so sharing adds none.
public struct SlotLayout: Sendable {
    public struct Slot: Sendable {
        public let storage: Storage
        /// In epochs.
        public let lifetime: ClosedRange<Int>
        /// In bytes.
        public fileprivate(set) var offset = 0
    }

    public private(set) var slots: [Slot]
    public let byteCount: Int
    /// Barriers that the operations ask for.
    public let barrierCount: Int

    /// Slots never straddle a multiple of this, so that scratch memory may consist of several allocations.
    public static let blockByteCount = 1 << 30
    /// Every device's storage-buffer alignment divides it.
    static let alignment = Arena.alignment

    /// - Parameters:
    ///   - storages: the slots; the first is written before the first operation.
    ///   - readAtEnd: slots that are read after the last operation.
    init(
        of storages: [Storage], in operations: [Program.Operation], readAtEnd: [Storage],
        observations: [Program.Observation]
    ) {
        let places = Dictionary(uniqueKeysWithValues: storages.enumerated().map { (ObjectIdentifier($1), $0) })
        var first = [Int?](repeating: nil, count: storages.count)
        var last = [Int](repeating: 0, count: storages.count)
        func touch(_ storage: Storage, _ epoch: Int) {
            guard let place = places[ObjectIdentifier(storage)] else { return }
            first[place] = min(first[place] ?? epoch, epoch)
            last[place] = max(last[place], epoch)
        }
        touch(storages[0], 0)
        var epochs = EpochCounter()
        var epochOfOperation: [Int] = []
        for operation in operations {
            let operands = operation.kernel.operands
            let epoch = epochs.epoch(of: operands)
            epochOfOperation.append(epoch)
            for operand in operands { touch(operand.tensor.storage, epoch) }
        }
        for storage in readAtEnd { touch(storage, epochs.current) }
        // An observed slot is read before the next operation runs; walking a program waits there.
        for observation in observations where observation.operation >= 0 {
            touch(observation.tensor.storage, epochOfOperation[observation.operation])
        }
        slots = storages.indices.compactMap { index in
            first[index].map { Slot(storage: storages[index], lifetime: $0...max($0, last[index])) }
        }
        barrierCount = epochs.current
        byteCount = Self.place(&slots)
    }

    /// Gives each slot the lowest offset that is free for all of its lifetime; within an epoch larger slots first.
    ///
    /// - Returns: the bytes of all slots together.
    private static func place(_ slots: inout [Slot]) -> Int {
        let order = slots.indices.sorted { a, b in
            let (left, right) = (slots[a], slots[b])
            return (left.lifetime.lowerBound, -left.storage.byteCount, a)
                < (right.lifetime.lowerBound, -right.storage.byteCount, b)
        }
        // Slots that are live, by offset.
        var live: [(end: Int, range: Range<Int>)] = []
        var byteCount = 0
        for index in order {
            let slot = slots[index]
            live.removeAll { $0.end < slot.lifetime.lowerBound }
            let size = (slot.storage.byteCount + alignment - 1) / alignment * alignment
            var offset = 0
            var position = 0
            while position < live.count {
                offset = withinBlock(offset, size)
                if offset + size <= live[position].range.lowerBound { break }
                offset = max(offset, live[position].range.upperBound)
                position += 1
            }
            offset = withinBlock(offset, size)
            live.insert((slot.lifetime.upperBound, offset..<offset + size), at: position)
            slots[index].offset = offset
            byteCount = max(byteCount, offset + size)
        }
        return byteCount
    }

    /// The offset, or the next block's start where so many bytes would straddle it.
    private static func withinBlock(_ offset: Int, _ size: Int) -> Int {
        let left = blockByteCount - offset % blockByteCount
        return size <= left || left == blockByteCount ? offset : offset + left
    }
}

/// Counts barriers by the rule of GPU's recording: one stands before an operation that touches bytes which an operation
/// since the last barrier wrote, or writes bytes which one read.
private struct EpochCounter {
    private(set) var current = 0
    private var reads: [(storage: ObjectIdentifier, bytes: Range<Int>)] = []
    private var writes: [(storage: ObjectIdentifier, bytes: Range<Int>)] = []

    mutating func epoch(of operands: [KernelOperand]) -> Int {
        let ranges = operands.map { operand in
            let tensor = operand.tensor
            return (
                access: operand.access, storage: ObjectIdentifier(tensor.storage),
                bytes: tensor.byteOffset..<tensor.byteOffset + tensor.byteCount
            )
        }
        let conflicts = ranges.contains { range in
            writes.contains { $0.storage == range.storage && $0.bytes.overlaps(range.bytes) }
                || range.access != .read
                    && reads.contains { $0.storage == range.storage && $0.bytes.overlaps(range.bytes) }
        }
        if conflicts {
            current += 1
            reads.removeAll(keepingCapacity: true)
            writes.removeAll(keepingCapacity: true)
        }
        for range in ranges {
            if range.access != .write { reads.append((range.storage, range.bytes)) }
            if range.access != .read { writes.append((range.storage, range.bytes)) }
        }
        return current
    }
}
