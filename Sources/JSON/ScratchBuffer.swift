/// Bytes in memory that stays put between calls, so that a pointer to them may be lent out until the next change.
struct ScratchBuffer: ~Copyable {
    private var storage = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 1)
    private var count = 0

    deinit { storage.deallocate() }

    /// Valid until the buffer is next changed.
    var contents: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage[..<count]) }

    mutating func removeAll() { count = 0 }

    mutating func append(_ byte: UInt8) {
        reserve(1)
        storage[count] = byte
        count += 1
    }

    mutating func append(_ bytes: Slice<UnsafeRawBufferPointer>) {
        reserve(bytes.count)
        UnsafeMutableRawBufferPointer(rebasing: storage[count...]).copyBytes(from: bytes)
        count += bytes.count
    }

    private mutating func reserve(_ more: Int) {
        guard count + more > storage.count else { return }
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(count + more, 2 * storage.count), alignment: 1)
        larger.copyMemory(from: contents)
        storage.deallocate()
        storage = larger
    }
}
