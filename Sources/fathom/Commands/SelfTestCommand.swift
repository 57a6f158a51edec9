import Numerics
import ArgumentParser
import GPU
import JSON
import Kernels
import Loading
import Model
import Terminal

/// Runs every kernel and case on a device against its reference: the same code as the test suite's.
struct SelfTestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "selftest",
        abstract: "Checks every kernel on a device against its CPU reference.",
        discussion: """
            Each case has seeded random input, poisoned outputs and guards around them; every element is compared. \
            Exits with 0 if all pass, 1 if one fails.
            """)

    @Argument(help: ArgumentHelp("Kernels to check. Without any, all of them.", valueName: "kernel"))
    var names: [String] = []

    @Option(
        name: .customLong("case"),
        help: ArgumentHelp(
            "Of this kernel, only cases whose description contains the text, as in linear=F8_E4M3. Repeat it for more.",
            valueName: "kernel=text"),
        transform: CaseFilter.init)
    var filters: [CaseFilter] = []

    @Option(help: ArgumentHelp("A Vulkan device by index or part of its name.", valueName: "device"))
    var device: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("Seed of the random data.", valueName: "n"))
    var seed: UInt64 = 1

    @Flag(
        help: """
            Compile every pipeline and report what the driver tells of its code; run nothing. One that spills, or whose \
            loads or matrix instructions are not what its kernel promises, fails.
            """)
    var compileOnly = false

    @Flag(help: "With --compile-only: print the instructions instead, in the driver's own language.")
    var isa = false

    @Flag(help: "Print a JSON object a line.")
    var json = false

    mutating func validate() throws {
        let known = Catalogue.tested.map { $0.name }
        if let unknown = names.first(where: { !known.contains($0) }) {
            throw ValidationError("\(unknown): expected a kernel: \(known.joined(separator: ", "))")
        }
        if let filter = filters.first(where: { !known.contains($0.kernel) }) {
            throw ValidationError("--case \(filter.kernel): expected a kernel: \(known.joined(separator: ", "))")
        }
        if !filters.isEmpty, compileOnly {
            throw ValidationError("--case: expected no --compile-only, which runs no case")
        }
        if isa, !compileOnly || json { throw ValidationError("--isa: expected --compile-only, and no --json") }
        if case .cpu = DeviceChoice(device) {
            throw ValidationError("--device cpu: expected a Vulkan device, which is compared with the CPU")
        }
    }

    func run() throws {
        if case .none(let reason) = try VulkanDevices.look() { throw CommandError(reason) }
        let device = try Device.open(device, captureStatistics: compileOnly)
        let kernels = Catalogue.tested.filter { names.isEmpty || names.contains($0.name) }
        if compileOnly {
            let form: CompileReport.Form = isa ? .assembly : json ? .json : .table
            return try CompileReport(device: device, form: form).run(kernels, seed: seed)
        }
        try note("\(device.profile.name), subgroups of \(device.profile.subgroupSize), \(device.profile.driverInfo)")
        var passed = 0
        var failed = 0
        for kernel in kernels {
            let texts = filters.filter { $0.kernel == kernel.name }.map(\.text)
            let cases = kernel.cases(on: device.profile)
            if let text = texts.first(where: { text in !cases.contains { $0.label.contains(text) } }) {
                throw CommandError(
                    "--case \(kernel.name)=\(text): expected part of a case's description, found none that contains it")
            }
            for kernelCase in cases
            where texts.isEmpty || texts.contains(where: kernelCase.label.contains) {
                let outcome = try SelfTest.run(kernelCase, on: device, seed: seed)
                if outcome.failure == nil { passed += 1 } else { failed += 1 }
                try Output.standard.print(json ? line(outcome) : row(outcome))
            }
        }
        try note("\(passed) passed, \(failed) failed")
        if failed > 0 { throw ExitCode.failure }
    }

    private func row(_ outcome: SelfTest.Outcome) -> String {
        let name = outcome.kernel.padded(to: 18)
        let label = outcome.label.padded(to: 48)
        let result =
            outcome.failure.map { "FAILED: \($0)" }
            ?? "ok, \(fixed(Double(outcome.worstRatio) * 100, 1))% of the tolerance"
        return "\(name) \(label) \(result)\n"
    }

    private func line(_ outcome: SelfTest.Outcome) -> String {
        JSONValue.object([
            JSONMember("kernel", JSONValue(outcome.kernel)), JSONMember("case", JSONValue(outcome.label)),
            JSONMember("error_over_tolerance", JSONValue(Double(outcome.worstRatio))),
            JSONMember("failure", outcome.failure.map { JSONValue($0) } ?? .null),
        ]).serialized() + "\n"
    }
}

/// The value of `--case`.
struct CaseFilter {
    let kernel, text: String

    init(_ argument: String) throws {
        let parts = argument.split(separator: "=", maxSplits: 1)
        guard parts.count == 2 else {
            throw ValidationError("expected a kernel and a text, as in linear=F8_E4M3, found \"\(argument)\"")
        }
        (kernel, text) = (String(parts[0]), String(parts[1]))
    }
}
