import Testing

@testable import GPU

/// Barriers come from what commands read and write, range by range.
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

struct TransferTests {
    @Test func bytesComeBackAsTheyWent() throws {
        let device = try Device.open()
        let view = try Allocation(on: device, byteCount: 1 << 16, kind: .device, label: "round trip").view
        var transfer = Transfer(on: device)
        try transfer.upload(to: view) { (offset: Int, bytes: UnsafeMutableRawBufferPointer) throws(Never) in
            for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: (offset + index) &* 31) }
        }
        try transfer.finish()
        var commands = try Commands(on: device)
        let copy = try Allocation(on: device, byteCount: 1 << 16, kind: .device, label: "copy").view
        try commands.begin()
        commands.copy(from: view, to: copy)
        try commands.submit()
        try commands.wait()
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { bytes.deallocate() }
        try transfer.download(copy, into: bytes)
        #expect(bytes.indices.allSatisfy { bytes[$0] == UInt8(truncatingIfNeeded: $0 &* 31) })
    }
}
