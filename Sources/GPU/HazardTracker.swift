/// Decides where barriers go: it keeps the byte ranges that commands read and wrote since the last barrier.
struct HazardTracker {
    private struct Range {
        let allocation: ObjectIdentifier
        let bytes: Swift.Range<Int>
        init(_ view: BufferView) {
            allocation = ObjectIdentifier(view.allocation)
            bytes = view.offset..<view.offset + view.byteCount
        }
        func overlaps(_ other: Range) -> Bool { allocation == other.allocation && bytes.overlaps(other.bytes) }
    }

    private var reads: [Range] = []
    private var writes: [Range] = []

    /// Whether a command with these accesses needs a barrier before it (read after write, write after read or write).
    /// Adds the command's accesses to the recorded accesses, which are cleared first if a barrier precedes the command.
    mutating func needsBarrier(before accesses: [(view: BufferView, access: Access)]) -> Bool {
        var conflict = false
        for (view, access) in accesses where !conflict {
            let range = Range(view)
            conflict =
                writes.contains { $0.overlaps(range) } || (access != .read && reads.contains { $0.overlaps(range) })
        }
        if conflict {
            reads.removeAll(keepingCapacity: true)
            writes.removeAll(keepingCapacity: true)
        }
        for (view, access) in accesses {
            if access != .write { reads.append(Range(view)) }
            if access != .read { writes.append(Range(view)) }
        }
        return conflict
    }
}
