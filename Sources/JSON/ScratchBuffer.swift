/// A growable byte buffer whose memory moves only when it grows, so that a pointer to its contents stays valid until
/// the next change.
struct ScratchBuffer: ~Copyable {
    private var storage = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 1)
    private var count = 0

    deinit { storage.deallocate() }

    /// Valid until the next change of the buffer.
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
