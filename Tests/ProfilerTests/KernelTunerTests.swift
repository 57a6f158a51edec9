import GPU
import Kernels
import Testing

@testable import Profiler

struct KernelTunerTests {
    private func best(_ times: [(String, Double)], wrong: [String] = []) -> String {
        KernelTuner.best(
            of: KernelTuner.Result(
                choice: "linear", best: times[0].0, times: times.map { (variant: $0.0, nanoseconds: $0.1) },
                wrong: wrong.map { ($0, "y[0, 0]") }))
    }

    @Test func choosesTheFastestCorrectVariantIfItIsClearlyFaster() {
        #expect(best([("tiles", 100), ("matrix", 50), ("lanes2", 60)]) == "matrix")
        #expect(best([("tiles", 100), ("matrix", 98)]) == "tiles")
        #expect(best([("tiles", 100), ("matrix", 50), ("lanes2", 60)], wrong: ["matrix"]) == "lanes2")
        // If the default variant is wrong, any correct one is better; if none is correct, the choice does not change.
        #expect(best([("tiles", 100), ("matrix", 120), ("lanes2", 110)], wrong: ["tiles"]) == "lanes2")
        #expect(best([("tiles", 100), ("matrix", 50)], wrong: ["tiles", "matrix"]) == "tiles")
    }

    /// Every variant of a choice has cases, and this device computes them correctly.
    @Test func variantsAreCheckedAgainstTheReference() throws {
        let device = try Device.open()
        let variants = ["lanes2", "rows4"]
        let check = try VariantCheck(
            kernels: ["mla_value"], wanted: ["mla_value F32": Set(variants)], on: device, goesOn: { true })
        #expect(check.failures == [:])
        for variant in variants {
            #expect(check.caseCounts[.init(choice: "mla_value F32", variant: variant), default: 0] > 1, "\(variant)")
        }
        #expect(check.caseCounts.count == 2)
        #expect(throws: ProfilerError.self) {
            try VariantCheck(kernels: ["mla_value"], wanted: [:], on: device, goesOn: { false })
        }
    }
}
