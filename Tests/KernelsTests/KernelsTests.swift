import GPU
import Testing

@testable import Kernels

/// Walks the catalogue on the default device: seeded input, poisoned outputs, every element against the reference.
@Suite(.serialized) struct CatalogueTests {
    @Test func everyKernelAgreesWithItsReference() throws {
        let device = try Device.open()
        for kernel in Catalogue.tested {
            let cases = kernel.cases(on: device.profile)
            #expect(cases.isEmpty != kernel.needs.isMet(device.profile), "\(kernel.name) has \(cases.count) cases")
            for kernelCase in cases {
                let outcome = try SelfTest.run(kernelCase, on: device)
                #expect(outcome.failure == nil, "\(kernel.name), \(kernelCase.label): \(outcome.failure ?? "")")
            }
        }
    }
}

/// The comparison itself must see what is wrong.
struct SelfTestTests {
    private func output(_ values: [Float]) throws -> Tensor {
        var bench = Workbench(on: nil, seed: 1)
        return try bench.tensor("y", .f32, [1, values.count], .floats(values))
    }

    private func bytes(_ tensor: Tensor, _ change: (UnsafeMutablePointer<Float>) -> Void) -> [UInt8] {
        var copy = [UInt8](tensor.storage.host!)
        copy.withUnsafeMutableBytes { raw in
            change((raw.baseAddress! + tensor.byteOffset).assumingMemoryBound(to: Float.self))
        }
        return copy
    }

    let tolerance = Tolerance(1e-3, because: "a test")

    @Test func equalBytesPass() throws {
        let y = try output([1, 2, 3, 4])
        #expect(SelfTest.difference(y, found: bytes(y) { _ in }, tolerance: tolerance) == nil)
    }

    @Test func oneWrongElementIsNamed() throws {
        let y = try output([1, 2, 3, 4])
        let failure = SelfTest.difference(y, found: bytes(y) { $0[2] = 3.1 }, tolerance: tolerance)
        #expect(failure?.contains("[0, 2]: expected 3.0, found 3.1") == true)
    }

    @Test func anUnwrittenElementFails() throws {
        let y = try output([1, 2, 3, 4])
        let poison = Float(bitPattern: Workbench.poison)
        #expect(SelfTest.difference(y, found: bytes(y) { $0[1] = poison }, tolerance: tolerance) != nil)
    }

    @Test func aWriteBeyondTheEndFails() throws {
        let y = try output([1, 2, 3, 4])
        let failure = SelfTest.difference(y, found: bytes(y) { $0[4] = 0 }, tolerance: tolerance)
        #expect(failure?.contains("outside its elements") == true)
    }
}

/// Dispatches that are listed and not recorded.
struct DispatchListTests {
    @Test func eachPipelineIsNeededOnceAndNoneIsMade() throws {
        let device = try Device.open()
        var bench = Workbench(planningFor: device)
        let kernel = try RMSNorm.cases(on: device.profile)[0].make(&bench)
        var list = Commands(listingFor: device)
        for _ in 0..<2 {
            try list.begin()
            try kernel.encode(into: &list)
            try kernel.encode(into: &list)
            #expect(list.dispatches.map(\.module.name) == ["rms_norm", "rms_norm"] && list.dispatchCount == 2)
            #expect(list.dispatches.neededPipelines.map(\.module.name) == ["rms_norm"])
        }
        #expect(device.knownPipelines.isEmpty && device.allocatedByteCount.peak == 0)
    }

    @Test func aRecordingMakesThePipelineAndListsNothing() throws {
        let device = try Device.open()
        var bench = Workbench(on: device, seed: 1)
        var commands = try Commands(on: device)
        try commands.begin()
        try RMSNorm.cases(on: device.profile)[0].make(&bench).encode(into: &commands)
        #expect(commands.dispatches.isEmpty && commands.dispatchCount == 1)
        #expect(device.knownPipelines.map(\.module) == ["rms_norm"])
    }
}
