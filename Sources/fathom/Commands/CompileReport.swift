import ArgumentParser
import GPU
import JSON
import Kernels
import Profiler
import Terminal

/// Compiles the pipelines of the chosen kernels' cases without running them, and reports the driver's statistics.
struct CompileReport {
    enum Form { case table, json, assembly }

    let device: Device
    let form: Form

    /// - Throws: `ExitCode.failure` if the code of one breaks its rule.
    func run(_ kernels: [any Kernel.Type], seed: UInt64) throws {
        try compile(kernels, seed: seed)
        if form == .assembly { return try writeAssembly() }
        if form == .table { try Output.standard.print(Self.row(Self.headings)) }
        var findings: [String] = []
        let shaders = try CompiledShader.all(on: device)
        for shader in shaders {
            try Output.standard.print(form == .json ? json(shader) : Self.row(columns(shader)))
            findings += shader.findings.map { "\(shader.name) \(variant(shader.constants)): \($0)" }
        }
        if kernels.count == Catalogue.tested.count {
            findings += CodeRule.findings(inAll: shaders, on: device.profile)
        }
        for finding in findings { try note(finding) }
        try note("\(device.profile.name): \(shaders.count) pipelines, \(findings.count) findings")
        if !findings.isEmpty { throw ExitCode.failure }
    }

    private func compile(_ kernels: [any Kernel.Type], seed: UInt64) throws {
        var commands = Commands(listingFor: device)
        for kernel in kernels {
            for kernelCase in kernel.cases(on: device.profile) {
                var bench = Workbench(planningFor: device, seed: seed)
                try kernelCase.make(&bench).encode(into: &commands)
            }
        }
        for needed in commands.dispatches.neededPipelines {
            _ = try device.pipeline(for: needed.module, constants: needed.constants)
        }
    }

    private func writeAssembly() throws {
        for (module, constants, pipeline) in device.knownPipelines {
            let assembly = try pipeline.assembly(on: device)
            try Output.standard.print(
                "== \(module) \(variant(constants))\n\(assembly ?? "The driver shows no code.")\n")
        }
    }

    private func variant(_ constants: [UInt32]) -> String { constants.map(String.init).joined(separator: ",") }

    private static let headings = [
        "kernel", "variant", "registers", "spills", "private", "shared", "code", "subgroups", "instructions", "loads",
        "16-byte", "shared ops", "matrix", "mul-adds",
    ]

    private func columns(_ shader: CompiledShader) -> [String] {
        let mix = shader.instructions
        let numbers = [
            shader.registers, shader.spills, shader.privateByteCount, shader.sharedByteCount, shader.codeByteCount,
            shader.subgroupsPerSIMD, mix?.total, mix?.loads, mix?.wideLoads, mix?.shared, mix?.matrix,
            mix?.multiplyAdds,
        ]
        return [shader.name, variant(shader.constants)] + numbers.map { $0.map(String.init) ?? "-" }
    }

    /// The two names to the left, numbers to the right under their headings.
    private static func row(_ columns: [String]) -> String {
        let names = columns[0].padded(to: 18) + " " + columns[1].padded(to: 12)
        let numbers = zip(columns, headings).dropFirst(2).map { column, heading in
            String(repeating: " ", count: max(0, heading.count - column.count)) + column
        }
        return ([names] + numbers).joined(separator: "  ") + "\n"
    }

    private func json(_ shader: CompiledShader) -> String {
        func number(_ value: Int?) -> JSONValue { value.map { JSONValue($0) } ?? .null }
        let instructions = shader.instructions.map { mix in
            JSONValue.object([
                JSONMember("total", JSONValue(mix.total)), JSONMember("loads", JSONValue(mix.loads)),
                JSONMember("loads_of_16_bytes", JSONValue(mix.wideLoads)),
                JSONMember("loads_below_4_bytes", JSONValue(mix.narrowLoads)),
                JSONMember("shared", JSONValue(mix.shared)), JSONMember("matrix", JSONValue(mix.matrix)),
                JSONMember("multiply_adds", JSONValue(mix.multiplyAdds)),
            ])
        }
        return JSONValue.object([
            JSONMember("kernel", JSONValue(shader.name)), JSONMember("variant", JSONValue(variant(shader.constants))),
            JSONMember("registers", number(shader.registers)), JSONMember("spills", number(shader.spills)),
            JSONMember("private_bytes", number(shader.privateByteCount)),
            JSONMember("subgroups_per_simd", number(shader.subgroupsPerSIMD)),
            JSONMember("statistics", .object(shader.statistics.map { JSONMember($0.name, JSONValue($0.value)) })),
            JSONMember("instructions", instructions ?? .null),
            JSONMember("findings", .array(shader.findings.map { JSONValue($0) })),
        ]).serialized() + "\n"
    }
}
