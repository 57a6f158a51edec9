import Checkpoint
import FixtureSupport
import Testing
import VulkanFaults

@testable import GPU
@testable import Loading
@testable import Model

/// A device that fails while a model is loaded or runs.
struct DeviceFaultTests {
    private func load(on device: Device) throws -> LoadedModel {
        try ModelLoader.load(
            Checkpoint(.folder(try Oracle.v3Ragged.folder())), on: device, options: LoadOptions(contextTokens: 2560))
    }

    /// A card with memory of its own gets its weights and gives its results through staging buffers: the same bits.
    @Test func memoryOfItsOwnChangesNothing() throws {
        let device = try Device.open()
        faults_split_memory(device.handle)
        let split = try load(on: device)
        #expect(split.transformer.weights.head.codes.view.mapped == nil)
        let tokens: [Int32] = [1, 2, 3, 4, 5]
        let whole = try load(on: Device.open()).trace(tokens, chunk: 2).logits
        #expect(try split.trace(tokens, chunk: 2).logits == whole)
    }

    /// Whichever allocation is the one too many: an error that says so, and nothing stays allocated.
    @Test func memoryThatRunsOutWhileLoading() throws {
        let device = try Device.open()
        var failures = 0
        while failures < 100 {
            faults_allow_allocations(device.handle, Int32(failures))
            do {
                let model = try load(on: device)
                let sequence = try model.makeSequence()
                _ = try model.step(.prefill, [StepItem(sequence: sequence, tokens: [1, 2, 3], rows: .last(1))])
                break
            } catch {
                failures += 1
                guard case ModelError.device(let cause) = error else { throw error }
                #expect(cause.result == .outOfDeviceMemory, "\(error)")
                #expect(device.allocatedByteCount.current == 0)
            }
        }
        #expect((1..<100).contains(failures))
    }

    @Test(arguments: [true, false])
    func aDeviceLostInAStep(atSubmission: Bool) throws {
        let device = try Device.open()
        let model = try load(on: device)
        let sequence = try model.makeSequence()
        _ = try model.step(.prefill, [StepItem(sequence: sequence, tokens: [1, 2, 3], rows: .last(1))])
        if atSubmission { faults_lose_at_submit(device.handle) } else { faults_lose_at_wait(device.handle) }
        for _ in 0..<2 {
            #expect {
                _ = try model.step(.decode, [StepItem(sequence: sequence, tokens: [4], rows: .last(1))])
            } throws: {
                guard case ModelError.device(let cause) = $0 else { return false }
                return cause.result == .deviceLost && cause.object == device.profile.name
            }
            #expect(model.tokenCount(of: sequence) == 3)
        }
    }
}
