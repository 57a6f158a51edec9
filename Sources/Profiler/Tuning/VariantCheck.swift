import GPU
import Kernels

/// Compares the results of each variant on a device with the kernel's reference: a driver may offer features that compute
/// wrong results.
struct VariantCheck {
    struct Key: Hashable {
        var choice, variant: String
    }

    /// Cases of a variant that are run at most. A driver's error shows in the first small shapes; `fathom selftest` runs all.
    private static let mostCases = 3

    /// The first wrong result of each variant; variants with right results are not in it.
    private(set) var failures: [Key: String] = [:]
    /// The number of cases of each variant that were run.
    private(set) var caseCounts: [Key: Int] = [:]

    /// Runs the catalogue's cases of these choices' variants.
    ///
    /// - Parameters:
    ///   - kernels: the kernels' names.
    ///   - wanted: the choices to check, and the variants of each.
    ///   - goesOn: called before every case; its result false stops the check.
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
