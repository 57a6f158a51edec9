/// Byte strings end to end in one allocation, addressed by index: a hundred thousand of them load without a String each.
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

    /// Where string `index` lies in `bytes`.
    func range(_ index: Int) -> Range<Int> { (index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index]) }

    func string(_ index: Int) -> String { String(decoding: bytes[range(index)], as: UTF8.self) }
}

/// Finds strings of a table by content: open addressing over indices, no copies of the strings.
struct StringIndex {
    private let table: StringTable
    /// Index + 1 of a string, or 0.
    private var slots: [UInt32]

    /// Indexes `table`; nil, with the second of two equal strings, if it holds one twice.
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

    /// The index of `first` and `second` put together.
    func find(_ first: UnsafeBufferPointer<UInt8>, _ second: UnsafeBufferPointer<UInt8>) -> Int? {
        let slot = table.bytes.withUnsafeBufferPointer { bytes in self.slot(of: first, second, bytes) }
        return slots[slot] == 0 ? nil : Int(slots[slot]) - 1
    }

    private func slot(
        of first: UnsafeBufferPointer<UInt8>, _ second: UnsafeBufferPointer<UInt8>, _ bytes: UnsafeBufferPointer<UInt8>
    ) -> Int {
        // FNV-1a, with its high bits folded in because the table's size is a power of two.
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
