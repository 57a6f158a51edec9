import ArgumentParser
import GPU
import Kernels

/// Which variants of kernels run: those asked for, else those that were measured on the device.
struct VariantOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Run this variant of a kernel wherever the device can, such as linear=tiles; may be given several times. Without it, the fastest that fathom tune found, else the one that fits the device.",
            valueName: "kernel=variant"))
    var variant: [String] = []

    func validate() throws {
        for text in variant { _ = try Self.parsed(text) }
    }

    private static func parsed(_ text: String) throws -> (kernel: String, variant: String) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let known = Catalogue.variantNames[parts[0]] else {
            let kernels = Catalogue.variantNames.keys.sorted().joined(separator: ", ")
            throw ValidationError(
                "--variant \(text): expected kernel=variant, the kernel one of \(kernels); found \"\(parts[0])\"")
        }
        guard known.contains(parts[1]) else {
            throw ValidationError(
                "--variant \(text): expected a variant of \(parts[0]): \(known.joined(separator: ", ")); found \"\(parts[1])\""
            )
        }
        return (parts[0], parts[1])
    }

    /// Chooses the variants that fathom tune measured.
    static func applyMeasured(to device: Device) {
        device.chosenVariants.setMeasured(TuningFile(for: device.profile)?.read() ?? [:])
    }

    /// Chooses the requested variants; for other kernels, the variants measured as fastest.
    func apply(to device: Device) {
        Self.applyMeasured(to: device)
        for case let (kernel, name)? in variant.map({ try? Self.parsed($0) }) {
            device.chosenVariants.force(name, for: kernel)
        }
    }
}
