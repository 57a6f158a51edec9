import Testing
import VulkanFaults

@testable import GPU

/// A failing Vulkan call is an error with the call, its result and its object; nothing crashes, and no memory leaks.
struct DeviceFaultTests {
    private func failure(_ body: () throws(GPUError) -> Void) -> GPUError? {
        do throws(GPUError) { try body() } catch { return error }
        return nil
    }

    /// The real driver, asked for a petabyte.
    @Test func memoryThatNoMachineHas() throws {
        let device = try Device.open()
        let error = try #require(
            failure { () throws(GPUError) in
                _ = try Allocation(on: device, byteCount: 1 << 50, kind: .device, label: "huge")
            })
        #expect([.outOfDeviceMemory, .outOfHostMemory].contains(error.result), "\(error)")
        #expect(error.call == "vkAllocateMemory" && error.object == "huge (1125899906842624 bytes)")
        #expect(device.allocatedByteCount.current == 0)
        // The device is as good as before.
        _ = try Allocation(on: device, byteCount: 4096, kind: .device, label: "small")
    }

    @Test func memoryThatRunsOut() throws {
        let device = try Device.open()
        faults_allow_allocations(device.handle, 2)
        var arena = Arena(on: device, label: "arena", chunkByteCount: 4096)
        var views: [BufferView] = []
        let error = failure { () throws(GPUError) in
            while views.count < 1000 { views.append(try arena.allocate(byteCount: 1024, label: "piece")) }
        }
        #expect(error?.result == .outOfDeviceMemory && error?.object == "arena (4096 bytes)")
        #expect(error?.description.contains("out of device memory (vkAllocateMemory)") == true)
        // Two chunks of four pieces; they are still there, and so is the device.
        #expect(views.count == 8 && device.allocatedByteCount.current == 8192)
        faults_allow_allocations(device.handle, -1)
        views.append(try arena.allocate(byteCount: 1024, label: "piece"))
    }

    @Test func memoryThatCannotBeMapped() throws {
        let device = try Device.open()
        faults_map_nothing(device.handle)
        let error = failure { () throws(GPUError) in
            _ = try Allocation(on: device, byteCount: 4096, kind: .upload, label: "staging")
        }
        #expect(error?.result == .outOfHostMemory && error?.object == "staging (4096 bytes)")
        #expect(device.allocatedByteCount.current == 0)
    }

    @Test func stagingThatRunsOut() throws {
        let device = try Device.open()
        faults_split_memory(device.handle)
        let view = try Allocation(on: device, byteCount: 1 << 16, kind: .device, label: "target").view
        faults_allow_allocations(device.handle, 1)
        var transfer = Transfer(on: device)
        do throws(TransferError<Never>) {
            try transfer.upload(to: view) { (_: Int, _: UnsafeMutableRawBufferPointer) throws(Never) in }
            Issue.record("expected two staging buffers, found one to suffice")
        } catch {
            guard case .device(let error) = error else { return }
            #expect(error.result == .outOfDeviceMemory && error.object == "staging (16777216 bytes)")
        }
        let landing = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { landing.deallocate() }
        let error = failure { () throws(GPUError) in try transfer.download(view, into: landing) }
        #expect(error?.result == .outOfDeviceMemory && error?.object == "readback (65536 bytes)")
    }

    @Test func aDeviceLostAtSubmission() throws {
        let device = try Device.open()
        let view = try Allocation(on: device, byteCount: 4096, kind: .device, label: "target").view
        var commands = try Commands(on: device)
        try commands.begin()
        commands.fill(view, word: 7)
        faults_lose_at_submit(device.handle)
        let error = failure { () throws(GPUError) in try commands.submit() }
        #expect(error?.call == "vkQueueSubmit" && error?.result == .deviceLost && error?.object == device.profile.name)
        #expect(error?.description.contains("the device was lost") == true)
    }

    @Test func aDeviceLostAtWork() throws {
        let device = try Device.open()
        let view = try Allocation(on: device, byteCount: 4096, kind: .device, label: "target").view
        var commands = try Commands(on: device)
        try commands.begin()
        commands.fill(view, word: 7)
        try commands.submit()
        faults_lose_at_wait(device.handle)
        // Again and again: it stays lost.
        for _ in 0..<3 {
            let error = failure { () throws(GPUError) in try commands.wait() }
            #expect(error?.call == "vkWaitSemaphores" && error?.result == .deviceLost)
        }
        #expect(failure { () throws(GPUError) in try commands.begin() }?.result == .deviceLost)
    }

    /// Memory of commands that did not finish in time stays allocated: the device may still write to it.
    @Test func workThatDoesNotEndKeepsItsMemory() throws {
        let device = try Device.open()
        do {
            var commands = try Commands(on: device)
            try commands.begin()
            commands.fill(
                try Allocation(on: device, byteCount: 4096, kind: .device, label: "target").view, word: 7)
            try commands.submit()
            faults_time_out_at_wait(device.handle)
            let error = failure { () throws(GPUError) in try commands.wait() }
            #expect(error?.call == "vkWaitSemaphores" && error?.result == .timeout)
            #expect(error?.description.contains("did not finish in time") == true)
        }
        #expect(device.allocatedByteCount.current == 4096)
    }

    @Test func resultsThatCallersTellApart() {
        let results: [(Int32, GPUError.Result, String)] = [
            (-2_000_000_001, .noLoader, "libvulkan.so.1) was not found"),
            (-1, .outOfHostMemory, "out of host memory"), (-2, .outOfDeviceMemory, "out of device memory"),
            (-4, .deviceLost, "the device was lost"), (-9, .incompatibleDriver, "does not offer Vulkan 1.3"),
            (-7, .notSupported, "does not support this"), (2, .timeout, "did not finish in time"),
            (-1_000_000_000, .other(-1_000_000_000), "VkResult -1000000000"),
        ]
        for (code, result, text) in results {
            let error = failure { () throws(GPUError) in try check(code, "vkCall", "object") }
            #expect(error?.result == result)
            #expect(error?.description.hasPrefix("object: ") == true && error?.description.contains(text) == true)
            #expect(error?.description.hasSuffix("(vkCall)") == true)
        }
    }
}
