import Testing
import VulkanFaults

@testable import GPU

/// Bytes come back unchanged, from memory that the host can map and, through staging buffers, from memory that it cannot.
struct TransferTests {
    private func byte(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: index &* 31 &+ index >> 8) }

    /// One piece, many pieces through two staging buffers, rows that do not divide a buffer, a row larger than a buffer.
    @Test(arguments: [false, true], [(1 << 20, 4), (4096, 4), (4096, 1000), (4096, 5000)])
    func bytesComeBackAsTheyWent(isStaged: Bool, slots: (byteCount: Int, pieceByteCount: Int)) throws {
        let device = try Device.open()
        if isStaged { faults_split_memory(device.handle) }
        let view = try Allocation(on: device, byteCount: 1 << 16, kind: .device, label: "round trip").view
        #expect(!isStaged || view.mapped == nil)
        var transfer = Transfer(on: device, slotByteCount: slots.byteCount)
        var produced = 0
        try transfer.upload(to: view, pieceByteCount: slots.pieceByteCount) {
            (offset: Int, bytes: UnsafeMutableRawBufferPointer) throws(Never) in
            #expect(offset == produced && offset.isMultiple(of: slots.pieceByteCount))
            for index in bytes.indices { bytes[index] = byte(offset + index) }
            produced += bytes.count
        }
        try transfer.finish()
        #expect(produced == 1 << 16)

        // By way of another buffer, as kernels would.
        let copy = try Allocation(on: device, byteCount: 1 << 16, kind: .device, label: "copy").view
        var commands = try Commands(on: device)
        try commands.begin()
        commands.copy(from: view, to: copy)
        try commands.submit()
        try commands.wait()
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { bytes.deallocate() }
        try transfer.download(copy, into: bytes)
        #expect(bytes.indices.allSatisfy { bytes[$0] == byte($0) })
    }

    /// One piece is made while the one before it is copied: only the third waits, for the first one's buffer.
    @Test func piecesAreMadeWhileOthersAreCopied() throws {
        let device = try Device.open()
        faults_split_memory(device.handle)
        let view = try Allocation(on: device, byteCount: 1 << 16, kind: .device, label: "target").view
        var transfer = Transfer(on: device, slotByteCount: 4096)
        // Whoever waits is told that the device was lost.
        faults_lose_at_wait(device.handle)
        var offsets: [Int] = []
        do throws(TransferError<Never>) {
            try transfer.upload(to: view) { (offset: Int, _: UnsafeMutableRawBufferPointer) throws(Never) in
                offsets.append(offset)
            }
            Issue.record("expected a lost device, found none")
        } catch {
            guard case .device(let error) = error else { return }
            #expect(error.result == .deviceLost)
        }
        #expect(offsets == [0, 4096])
    }

    private struct Refusal: Error {}

    @Test(arguments: [false, true]) func anErrorOfTheSourcePasses(isStaged: Bool) throws {
        let device = try Device.open()
        if isStaged { faults_split_memory(device.handle) }
        let view = try Allocation(on: device, byteCount: 1 << 16, kind: .device, label: "target").view
        var transfer = Transfer(on: device, slotByteCount: 4096)
        do throws(TransferError<Refusal>) {
            try transfer.upload(to: view) { (offset: Int, _: UnsafeMutableRawBufferPointer) throws(Refusal) in
                if offset >= 8192 || !isStaged { throw Refusal() }
            }
            Issue.record("expected the source's error, found none")
        } catch {
            guard case .source = error else {
                Issue.record("expected the source's error, found \(error)")
                return
            }
        }
        try transfer.finish()
    }
}
