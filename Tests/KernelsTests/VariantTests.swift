import GPU
import Testing

@testable import Kernels

/// Which variant runs: one that was asked for, else one that was measured, else the first that the device can run.
struct VariantTests {
    private let device: Device

    init() throws { device = try Device.open() }

    private func linear(_ phase: KernelPhase) throws -> Linear {
        var bench = Workbench(on: nil, seed: 1)
        return Linear(
            phase: phase, x: try bench.tensor("x", [2, 64]),
            weight: try bench.weight("weight", rows: 8, columns: 64, .bf16), y: try bench.output("y", [2, 8]))
    }

    @Test func whatIsAskedForComesBeforeWhatIsMeasured() throws {
        let (decode, prefill) = (try linear(.decode), try linear(.prefill))
        let first = decode.variants(on: device.profile)[0]
        #expect(decode.variant(on: device) == first)
        device.chosenVariants.setMeasured([decode.choice: "rows4", prefill.choice: "tiles"])
        #expect(decode.variant(on: device) == .rows(4) && prefill.variant(on: device) == .tiles)
        // What the kernel cannot run in this phase leaves what was measured; unknown names change nothing.
        device.chosenVariants.setMeasured([decode.choice: "rows4", prefill.choice: "lanes7x7"])
        device.chosenVariants.force("tiles", for: "linear")
        #expect(decode.variant(on: device) == .rows(4) && prefill.variant(on: device) == .tiles)
        device.chosenVariants.force("tiles", for: "grouped_linear")
        #expect(decode.variant(on: device) == .rows(4))
    }

    @Test func everyVariantHasAName() throws {
        let names = try [KernelPhase.decode, .prefill].flatMap { try linear($0).variants(on: device.profile) }.map(
            \.name)
        #expect(Set(names).isSubset(of: Catalogue.variantNames["linear"]!) && Set(names).count == names.count)
    }

    /// Lanes come first where subgroups are narrow, matrix units where they are wide; each only where the device has them.
    @Test func theDeviceDecidesWhichVariantIsPreferred() throws {
        let profile = device.profile
        let (decode, prefill) = (
            try linear(.decode).variants(on: profile), try linear(.prefill).variants(on: profile)
        )
        let matrix: [Variant] = profile.matrixTiles == nil ? [] : [.matrix]
        if profile.narrowSubgroup == nil {
            #expect(decode == [.rows(4)] && prefill == matrix + [.tiles])
        } else {
            #expect(
                decode == [.lanes(2), .rows(4)] && prefill == [.lanes(2, 8), .lanes(4, 8), .tiles] + matrix)
        }
    }

    private static let hasNarrowSubgroups = (try? Device.open().profile)?.narrowSubgroup != nil

    /// All sizes of a form add in one order, so a token has the same bits alone and among others.
    @Test(
        .enabled(if: hasNarrowSubgroups, "the form lanes needs subgroups of one size of 4, 8 or 16 lanes"),
        arguments: [WeightFormat.fp8E4M3, .int4(32)])
    func allSizesGiveTheSameBits(_ format: WeightFormat) throws {
        var results: [[UInt32]] = []
        for variant in [Variant.lanes(2, 8), .lanes(4, 8), .lanes(2), .lanes(1, 4)] {
            var bench = Workbench(on: device, seed: 7)
            var kernel = Linear(
                phase: .prefill, x: try bench.tensor("x", [13, 200]),
                weight: try bench.weight("weight", rows: 70, columns: 200, format),
                y: try bench.output("y", [13, 70]))
            kernel.variant = variant
            var transfer = Transfer(on: device)
            for tensor in bench.tensors { try SelfTest.upload(tensor.storage, &transfer) }
            try transfer.finish()
            var commands = try Commands(on: device)
            try commands.begin()
            try kernel.encode(into: &commands)
            try commands.submit()
            try commands.wait()
            let bytes = try SelfTest.download(kernel.y.storage, &transfer)
            results.append(bytes.withUnsafeBytes { Array($0.bindMemory(to: UInt32.self)) })
        }
        #expect(results.allSatisfy { $0 == results[0] })
    }
}
