/// Byte strings stored end to end in one allocation and addressed by index. A vocabulary loads without a String per
/// token.
struct StringTable: Sendable {
    private(set) var bytes: [UInt8] = []
    private var ends: [UInt32] = []

    var count: Int { ends.count }

    mutating func reserve(count: Int, byteCount: Int) {
        ends.reserveCapacity(count)
        bytes.reserveCapacity(byteCount)
    }

    mutating func append(_ string: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: string)
        ends.append(UInt32(bytes.count))
    }

    /// The range of string `index` in `bytes`.
    func range(_ index: Int) -> Range<Int> { (index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index]) }

    func string(_ index: Int) -> String { String(decoding: bytes[range(index)], as: UTF8.self) }
}

/// Finds strings of a table by content: a hash table with open addressing that stores indices, not strings.
struct StringIndex {
    private let table: StringTable
    /// Index + 1 of a string; 0 in an empty slot.
    private var slots: [UInt32]

    /// Indexes `table`. Sets `duplicate` to the index of a string that equals an earlier one.
    init(_ table: StringTable, duplicate: inout Int?) {
        self.table = table
        var capacity = 16
        while capacity < table.count * 2 { capacity *= 2 }
        slots = [UInt32](repeating: 0, count: capacity)
        table.bytes.withUnsafeBufferPointer { bytes in
            for index in 0..<table.count {
                let string = UnsafeBufferPointer(rebasing: bytes[table.range(index)])
                let empty = UnsafeBufferPointer(rebasing: bytes[0..<0])
                let slot = slot(of: string, empty, bytes)
                if slots[slot] == 0 { slots[slot] = UInt32(index + 1) } else { duplicate = index }
            }
        }
    }

    /// The index of the concatenation of `first` and `second`, or nil.
    func find(_ first: UnsafeBufferPointer<UInt8>, _ second: UnsafeBufferPointer<UInt8>) -> Int? {
        let slot = table.bytes.withUnsafeBufferPointer { bytes in self.slot(of: first, second, bytes) }
        return slots[slot] == 0 ? nil : Int(slots[slot]) - 1
    }

    private func slot(
        of first: UnsafeBufferPointer<UInt8>, _ second: UnsafeBufferPointer<UInt8>, _ bytes: UnsafeBufferPointer<UInt8>
    ) -> Int {
        // FNV-1a; the high bits are folded in because the slot count is a power of two.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in first { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for byte in second { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        var slot = Int(truncatingIfNeeded: hash ^ hash >> 32) & (slots.count - 1)
        while slots[slot] != 0 {
            let range = table.range(Int(slots[slot]) - 1)
            if range.count == first.count + second.count {
                let middle = range.lowerBound + first.count
                if bytes[range.lowerBound..<middle].elementsEqual(first),
                    bytes[middle..<range.upperBound].elementsEqual(second)
                {
                    return slot
                }
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }
}
