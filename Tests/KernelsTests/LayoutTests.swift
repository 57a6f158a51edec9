import GPU
import Shaders
import Testing

@testable import Kernels

/// Every dispatch of every kernel's cases fits every device profile: bindings, push constants, shared memory, workgroups.
struct LayoutTests {
    private struct Listing {
        let profile: DeviceProfile
        let kernel, label: String
        let dispatches: [Dispatch]
    }

    /// The cases of all kernels on all profiles.
    private static let listings = Result {
        try DeviceProfiles.all.flatMap { profile in
            try Catalogue.tested.flatMap { kernel in
                try kernel.cases(on: profile).map { kernelCase in
                    let device = AbsentDevice(profile)
                    var bench = Workbench(planningFor: device)
                    var list = Commands(listingFor: device)
                    try kernelCase.make(&bench).encode(into: &list)
                    return Listing(
                        profile: profile, kernel: kernel.name, label: kernelCase.label, dispatches: list.dispatches)
                }
            }
        }
    }

    @Test func everyDispatchFitsEveryProfile() throws {
        for listing in try Self.listings.get() {
            // A fill is a command of the device, not a shader's.
            #expect(listing.dispatches.isEmpty == (listing.kernel == Clear.name), "\(listing.kernel), \(listing.label)")
            for dispatch in listing.dispatches {
                for misfit in dispatch.misfits(on: listing.profile) {
                    Issue.record("\(listing.profile.name): \(listing.kernel), \(listing.label): \(misfit)")
                }
            }
        }
    }

    /// Each kernel has cases on each profile, except the measure of matrix units on a device without them.
    @Test(arguments: DeviceProfiles.all)
    func everyKernelHasCases(profile: DeviceProfile) throws {
        let kernels = Set(try Self.listings.get().filter { $0.profile.name == profile.name }.map(\.kernel))
        let expected = Catalogue.tested.filter { $0 != LimitMatrix.self || profile.matrixShape != nil }
        #expect(kernels == Set(expected.map { $0.name }))
    }

    /// The profiles together dispatch every shader.
    @Test func everyShaderIsDispatched() throws {
        let dispatched = Set(try Self.listings.get().flatMap { $0.dispatches.map(\.module.name) })
        #expect(dispatched == Set(AllShaders.modules.map(\.name)))
    }

    /// The pipelines of matrix units ask the driver for the size of subgroup that their wrappers count on.
    @Test func matrixProductsPinTheSubgroupsSize() throws {
        let matrix = try Self.listings.get().flatMap { listing in
            listing.dispatches.filter { $0.module.capabilities.contains("cooperativeMatrix") }
                .map { (listing.profile, $0) }
        }
        #expect(matrix.count > 50)
        for (profile, dispatch) in matrix {
            #expect(dispatch.module.requiredSubgroupSize(dispatch.constants) == profile.subgroupSize)
        }
    }

    /// A dispatch that fits, with one property changed, and the text that `misfits` returns for it.
    @Test(arguments: [
        (ProbeShader(), nil), (ProbeShader(threads: 24), "not whole subgroups of 16"),
        (ProbeShader(threads: 512), "a workgroup of [512, 1, 1]"), (ProbeShader(rows: 129), "shared memory: 33024"),
        (ProbeShader(words: 33), "push constants: 132 bytes"), (ProbeShader(words: 3), "push constants: 12 bytes"),
        (ProbeShader(byteCount: (128 << 20) + 256), "x: \((128 << 20) + 256) bytes"),
        (ProbeShader(byteCount: 1022), "x: 1022 bytes, in steps of 4"),
        (ProbeShader(offset: 64), "x: offset 64"), (ProbeShader(bindingCount: 13), "13 buffers"),
        (ProbeShader(capability: "cooperativeMatrix"), "capability cooperativeMatrix"),
        (ProbeShader(capability: "int64"), "capability int64"), (ProbeShader(groups: 65536), "65536, 1, 1] workgroups"),
    ])
    func aMisfitIsSeen(probe: ProbeShader, expected: String?) throws {
        let profile = try #require(DeviceProfiles.minimal.first { $0.subgroupSize == 16 })
        let misfits = probe.dispatch.misfits(on: profile)
        #expect(
            misfits.count == (expected == nil ? 0 : 1) && misfits.allSatisfy { $0.contains(expected!) }, "\(misfits)")
    }
}

/// A dispatch of a shader that does not exist: 64 threads that reduce over subgroups, 256 bytes of shared memory a row.
struct ProbeShader: Sendable {
    var threads: UInt32 = 64
    var rows: UInt32 = 128
    var words = 32
    var byteCount = 1024
    var offset = 256
    var bindingCount = 12
    var capability = "groupNonUniformArithmetic"
    var groups = 65535

    var dispatch: Dispatch {
        let allocation = Allocation(plannedByteCount: 256 << 20, label: "x")
        let module = ShaderModule(
            name: "probe", spirvBase64: "",
            bindings: (0..<bindingCount).map { .init(name: $0 == 0 ? "x" : "x\($0)", access: .read) },
            constants: [
                .init(name: "threads", id: 3, defaultBits: 1), .init(name: "rows", id: 4, defaultBits: 1),
            ], pushConstantByteCount: words == 3 ? 16 : words * 4,
            workgroupSize: [.constant(id: 3, defaultBits: 1), .literal(1), .literal(1)],
            sharedArrays: [.init(lengths: [.constant(id: 4, defaultBits: 1), .literal(64)], elementByteCount: 4)],
            capabilities: ["shader", capability], hash: 0)
        let first = BufferView(allocation: allocation, offset: offset, byteCount: byteCount)
        let rest = BufferView(allocation: allocation, offset: 0, byteCount: 4)
        return Dispatch(
            module: module, constants: [(3, threads), (4, rows)], pushConstants: Array(repeating: 0, count: words),
            views: [first] + Array(repeating: rest, count: bindingCount - 1), groups: .fixed(groups, 1, 1))
    }
}
