import Testing

@testable import GPU

/// Barriers follow from the byte ranges that commands read and write.
struct HazardTests {
    let allocation: Allocation

    init() throws { allocation = try Allocation(on: try Device.open(), byteCount: 4096, kind: .device, label: "test") }

    private func view(_ offset: Int, _ count: Int) -> BufferView {
        BufferView(allocation: allocation, offset: offset, byteCount: count)
    }

    @Test func readAfterWriteNeedsOne() {
        var tracker = HazardTracker()
        do {
            let needed = tracker.needsBarrier(before: [(view(0, 256), .write)])
            #expect(needed == false)
        }
        do {
            let needed = tracker.needsBarrier(before: [(view(128, 256), .read)])
            #expect(needed == true)
        }
        do {
            let needed = tracker.needsBarrier(before: [(view(128, 256), .read)])
            #expect(needed == false)
        }
    }

    @Test func writeAfterReadNeedsOne() {
        var tracker = HazardTracker()
        do {
            let needed = tracker.needsBarrier(before: [(view(0, 256), .read)])
            #expect(needed == false)
        }
        do {
            let needed = tracker.needsBarrier(before: [(view(0, 4), .write)])
            #expect(needed == true)
        }
    }

    @Test func writeAfterWriteNeedsOne() {
        var tracker = HazardTracker()
        do {
            let needed = tracker.needsBarrier(before: [(view(0, 256), .write)])
            #expect(needed == false)
        }
        do {
            let needed = tracker.needsBarrier(before: [(view(255, 1), .readWrite)])
            #expect(needed == true)
        }
    }

    @Test func disjointRangesNeedNone() {
        var tracker = HazardTracker()
        do {
            let needed = tracker.needsBarrier(before: [(view(0, 256), .write)])
            #expect(needed == false)
        }
        do {
            let needed = tracker.needsBarrier(before: [(view(256, 256), .readWrite)])
            #expect(needed == false)
        }
    }
}
