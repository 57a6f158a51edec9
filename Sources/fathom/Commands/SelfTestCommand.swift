import Numerics
import ArgumentParser
import GPU
import JSON
import Kernels
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

    @Argument(help: ArgumentHelp("Kernels to check; all without.", valueName: "kernel"))
    var names: [String] = []

    @Option(help: ArgumentHelp("A Vulkan device by index or part of its name.", valueName: "device"))
    var device: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("Seed of the random data.", valueName: "n"))
    var seed: UInt64 = 1

    @Flag(help: "Compile every pipeline and report what the driver tells of its code; run nothing.")
    var compileOnly = false

    @Flag(help: "Print a JSON object a line.")
    var json = false

    mutating func validate() throws {
        let known = Catalogue.tested.map { $0.name }
        if let unknown = names.first(where: { !known.contains($0) }) {
            throw ValidationError("\(unknown): expected a kernel: \(known.joined(separator: ", "))")
        }
        if case .cpu = DeviceChoice(device) {
            throw ValidationError("--device cpu: expected a Vulkan device, which is compared with the CPU")
        }
    }

    func run() throws {
        if case .none(let reason) = try VulkanDevices.look() { throw CommandError(reason) }
        let device = try Device.open(device, captureStatistics: compileOnly)
        let kernels = Catalogue.tested.filter { names.isEmpty || names.contains($0.name) }
        if compileOnly { return try report(statisticsOf: kernels, on: device) }
        try note("\(device.profile.name), subgroups of \(device.profile.subgroupSize), \(device.profile.driverInfo)")
        var passed = 0
        var failed = 0
        for kernel in kernels {
            for kernelCase in kernel.cases(on: device.profile) {
                let outcome = try SelfTest.run(kernelCase, on: device, seed: seed)
                if outcome.failure == nil { passed += 1 } else { failed += 1 }
                try Output.standard.write(json ? line(outcome) : row(outcome))
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

    /// Makes the pipelines of every case, each variant once, and reports what the driver tells of their code.
    private func report(statisticsOf kernels: [any Kernel.Type], on device: Device) throws {
        var commands = try Commands(on: device)
        commands.listsPipelinesOnly = true
        try commands.begin()
        for kernel in kernels {
            var bench = Workbench(on: device, seed: seed)
            for kernelCase in kernel.cases(on: device.profile) {
                try kernelCase.make(&bench).encode(into: &commands)
            }
        }
        for needed in commands.neededPipelines {
            _ = try device.pipeline(for: needed.module, constants: needed.constants)
        }
        for (module, constants, pipeline) in device.knownPipelines {
            let variant = constants.map(String.init).joined(separator: ",")
            let statistics = try pipeline.statistics(on: device)
            let members = statistics.map { JSONMember($0.name, JSONValue($0.value)) }
            let spills = statistics.filter { $0.name.lowercased().contains("spill") }.reduce(0) { $0 + $1.value }
            if json {
                let object = JSONValue.object([
                    JSONMember("kernel", JSONValue(module)), JSONMember("variant", JSONValue(variant)),
                    JSONMember("hot", JSONValue(true)), JSONMember("spills", JSONValue(spills)),
                    JSONMember("statistics", .object(members)),
                ])
                try Output.standard.write(object.serialized() + "\n")
            } else {
                let wanted = ["SGPRs", "VGPRs", "Spilled SGPRs", "Spilled VGPRs", "LDS size", "Code size"]
                let found = wanted.map { name in
                    statistics.first { $0.name == name }.map { fixed($0.value, 0) } ?? "-"
                }
                let columns = found.map { $0.padded(to: 14) }.joined()
                try Output.standard.write("\(module.padded(to: 18)) \(variant.padded(to: 14)) \(columns)\n")
            }
            if spills > 0 {
                try note("\(module), constants \(variant): spills \(fixed(spills, 0)) registers")
                throw ExitCode.failure
            }
        }
    }
}

extension String {
    /// At least `width` characters, filled with spaces.
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
