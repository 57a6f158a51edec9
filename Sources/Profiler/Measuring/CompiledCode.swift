import GPU

/// "linear_tiles 3": the shader of a use's first command and its constants.
func variantText(_ marked: [MarkedCommand]) -> String {
    guard let first = marked.first else { return "" }
    return variantText(shader: first.name, constants: first.constants)
}

func variantText(shader: String, constants: [UInt32]) -> String {
    ([shader] + (constants.isEmpty ? [] : [constants.map(String.init).joined(separator: "/")])).joined(separator: " ")
}

/// The driver's statistics of the code of a use's first command; nil if it reports none.
func compiledCode(of marked: [MarkedCommand], on device: Device) -> Profile.CompiledCode? {
    guard let first = marked.first else { return nil }
    return compiledCode(shader: first.name, constants: first.constants, on: device)
}

func compiledCode(shader: String, constants: [UInt32], on device: Device) -> Profile.CompiledCode? {
    guard device.profile.hasExecutableProperties,
        let known = device.knownPipelines.first(where: { $0.module == shader && $0.constants == constants })
    else { return nil }
    // If reading the statistics fails, the row has none; nothing else depends on them.
    guard let statistics = try? known.pipeline.statistics(on: device) else { return nil }
    return Profile.CompiledCode(statistics: statistics)
}

/// The sum of the statistics with these names (given in lower case; case is ignored); nil if there are none.
func sum(of statistics: [(name: String, value: Double)], named names: [String]) -> Int? {
    let found = statistics.filter { names.contains($0.name.lowercased()) }
    return found.isEmpty ? nil : Int(found.reduce(0) { $0 + $1.value })
}

extension Profile.CompiledCode {
    /// Extracts the statistics by the names that each driver uses for them.
    ///
    /// - Returns: nil if no known name is among them.
    init?(statistics: [(name: String, value: Double)]) {
        func sum(_ names: [String]) -> Int? { Profiler.sum(of: statistics, named: names) }
        self.init(
            registers: sum(["vgprs", "register count", "registers", "grf registers", "number of gprs"]),
            spills: sum([
                "spilled sgprs", "spilled vgprs", "spill count", "spills", "fills", "spills to memory",
                "fills from memory", "spills to reg", "local memory size",
            ]),
            sharedByteCount: sum(["lds size", "shared memory size", "shared memory", "workgroup memory size"]),
            subgroupSize: sum(["subgroup size", "wave size"]))
        if registers == nil && spills == nil && sharedByteCount == nil && subgroupSize == nil { return nil }
    }
}
