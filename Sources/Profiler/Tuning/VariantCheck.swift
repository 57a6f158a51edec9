import GPU
import Kernels

/// Whether a device computes with each variant what the kernels' references say: a driver may offer what it gets wrong.
struct VariantCheck {
    struct Key: Hashable {
        var choice, variant: String
    }

    /// Cases of a variant that are run: a driver's error shows in the first small shapes; `fathom selftest` runs all.
    private static let mostCases = 3

    /// What the first wrong result of each variant was; variants that are right are not in it.
    private(set) var failures: [Key: String] = [:]
    /// Cases of each variant that were looked at.
    private(set) var caseCounts: [Key: Int] = [:]

    /// Runs the catalogue's cases of these choices' variants.
    ///
    /// - Parameters:
    ///   - kernels: the kernels' names.
    ///   - wanted: the choices to look at, and the variants of each.
    ///   - goesOn: asked before every case; false stops.
    init(
        kernels: Set<String>, wanted: [String: Set<String>], on device: Device, goesOn: () -> Bool
    ) throws(ProfilerError) {
        for kernel in Catalogue.kernels where kernels.contains(kernel.name) {
            for kernelCase in kernel.cases(on: device.profile) {
                guard goesOn() else { throw .interrupted }
                let failure = try onDevice { () throws(GPUError) -> (Key, String)? in
                    var bench = Workbench(on: device, seed: 1)
                    guard let made = try kernelCase.make(&bench) as? any ChosenKernel else { return nil }
                    let key = Key(choice: made.choice, variant: made.variant(on: device).name)
                    guard wanted[key.choice]?.contains(key.variant) == true,
                        caseCounts[key, default: 0] < Self.mostCases
                    else { return nil }
                    caseCounts[key, default: 0] += 1
                    let outcome = try SelfTest.check(made, label: kernelCase.label, on: device)
                    return outcome.failure.map { (key, "\(kernelCase.label): \($0)") }
                }
                if let (key, text) = failure, failures[key] == nil { failures[key] = text }
            }
        }
    }
}
