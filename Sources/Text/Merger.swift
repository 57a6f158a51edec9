/// Byte-pair merging: repeatedly joins the neighbouring pair of the lowest merge rank, the leftmost among equals.
struct Merger: Sendable {
    private struct Entry {
        /// Left id in the high half, right id in the low half.
        var pair: UInt64
        var rank: UInt32
        var result: Int32
    }

    private static let vacant = UInt64.max

    /// A hash table with open addressing, keyed by `pair`.
    private var entries: [Entry]
    private let shift: UInt64
    /// The token id of each byte; -1 for bytes outside the vocabulary, which UTF-8 never uses.
    let byteIDs: [Int32]

    init(byteIDs: [Int32], mergeCount: Int) {
        self.byteIDs = byteIDs
        var bits = 4
        while 1 << bits < mergeCount * 2 { bits += 1 }
        shift = UInt64(64 - bits)
        entries = Array(repeating: Entry(pair: Self.vacant, rank: 0, result: 0), count: 1 << bits)
    }

    /// Adds a merge; replaces an earlier merge of the same pair.
    mutating func insert(left: Int32, right: Int32, rank: Int, result: Int32) {
        let pair = Self.pair(left, right)
        entries[slot(pair)] = Entry(pair: pair, rank: UInt32(rank), result: result)
    }

    private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    @inline(__always)
    private func slot(_ pair: UInt64) -> Int {
        var slot = Int((pair &* 0x9E37_79B9_7F4A_7C15) >> shift)
        while entries[slot].pair != pair, entries[slot].pair != Self.vacant { slot = (slot + 1) & (entries.count - 1) }
        return slot
    }

    @inline(__always)
    private func merge(_ left: Int32, _ right: Int32) -> Entry? {
        let entry = entries[slot(Self.pair(left, right))]
        return entry.pair == Self.vacant ? nil : entry
    }

    /// Buffers, reused from piece to piece.
    struct Scratch {
        /// The current tokens as a linked list, indexed by byte position. A token merged into its left neighbour has id
        /// -1.
        fileprivate var symbols: [Symbol] = []
        fileprivate var queue = MergeQueue()

        fileprivate struct Symbol {
            var id: Int32
            var previous: Int32
            var next: Int32
        }
    }

    /// Appends the token ids of `piece` to `ids`. O(n log n) in its length: a linked list and a priority queue of
    /// possible merges.
    func merge(_ piece: UnsafeBufferPointer<UInt8>, into ids: inout [Int32], _ scratch: inout Scratch) {
        if piece.count == 1 {
            ids.append(byteIDs[Int(piece[0])])
            return
        }
        let count = Int32(piece.count)
        scratch.symbols.removeAll(keepingCapacity: true)
        for (index, byte) in piece.enumerated() {
            scratch.symbols.append(
                .init(
                    id: byteIDs[Int(byte)], previous: Int32(index) - 1,
                    next: Int32(index) + 1 < count ? Int32(index) + 1 : -1))
        }
        for left in 0..<count - 1 { propose(left, &scratch) }
        while let (rank, left) = scratch.queue.popFirst() {
            let symbol = scratch.symbols[Int(left)]
            // The tokens may have changed since the merge was queued: it applies only if their pair still has its rank.
            guard symbol.id >= 0, symbol.next >= 0 else { continue }
            let right = scratch.symbols[Int(symbol.next)]
            guard let merge = merge(symbol.id, right.id), merge.rank == rank else { continue }
            scratch.symbols[Int(symbol.next)].id = -1
            scratch.symbols[Int(left)].id = merge.result
            scratch.symbols[Int(left)].next = right.next
            if right.next >= 0 {
                scratch.symbols[Int(right.next)].previous = left
                propose(left, &scratch)
            }
            if symbol.previous >= 0 { propose(symbol.previous, &scratch) }
        }
        var position: Int32 = 0
        while position >= 0 {
            ids.append(scratch.symbols[Int(position)].id)
            position = scratch.symbols[Int(position)].next
        }
    }

    @inline(__always)
    private func propose(_ left: Int32, _ scratch: inout Scratch) {
        let symbol = scratch.symbols[Int(left)]
        guard let merge = merge(symbol.id, scratch.symbols[Int(symbol.next)].id) else { return }
        scratch.queue.insert(rank: merge.rank, position: left)
    }
}

/// A binary heap of possible merges: lowest rank first, then leftmost.
private struct MergeQueue {
    /// Rank in the high half, position in the low half, so that one comparison orders both.
    private var heap: [UInt64] = []

    mutating func insert(rank: UInt32, position: Int32) {
        let key = UInt64(rank) << 32 | UInt64(UInt32(position))
        heap.append(key)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if heap[parent] <= key { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = key
    }

    mutating func popFirst() -> (rank: UInt32, position: Int32)? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty {
            var parent = 0
            while true {
                var child = 2 * parent + 1
                if child >= heap.count { break }
                if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
                if heap[child] >= last { break }
                heap[parent] = heap[child]
                parent = child
            }
            heap[parent] = last
        }
        return (UInt32(first >> 32), Int32(first & 0xFFFF_FFFF))
    }
}
