import JSON
import Numerics

extension Profile {
    /// The document of `--json`: version, header, limits, rows with their samples, steps, overhead, notes.
    public var json: JSONValue {
        var members: [JSONMember] = [
            JSONMember("format", "fathom-profile"),
            JSONMember("version", JSONValue(Self.formatVersion)),
            JSONMember("mode", JSONValue(mode.rawValue)),
            JSONMember("header", header.json),
            JSONMember("limits", limits.json),
            JSONMember("rows", .array(rows.map(\.json))),
        ]
        if mode == .run { members.append(JSONMember("steps", .array(steps.map(\.json)))) }
        if let overhead {
            members.append(
                JSONMember(
                    "overhead",
                    [
                        "marked_every": JSONValue(overhead.markedEvery), "marked_step_ns": number(overhead.markedStep),
                        "plain_step_ns": number(overhead.plainStep),
                        "attributed": number(overhead.attributed),
                        "clock_deviation_ns": optional(overhead.clockDeviation),
                    ]))
        }
        members.append(JSONMember("notes", .array(notes.map { JSONValue($0) })))
        return .object(members)
    }

    /// Reads a document that `json` wrote.
    ///
    /// - Throws: an error with the document's name and the field, also for another format version.
    public init(_ document: JSONField) throws(JSONError) {
        guard try document["format"].line() == "fathom-profile" else {
            throw try document["format"].error(expected: "fathom-profile, the format of a profile as JSON")
        }
        guard try document["version"].int() == Self.formatVersion else {
            throw try document["version"].error(expected: "\(Self.formatVersion): measure again with this program")
        }
        guard let mode = Mode(rawValue: try document["mode"].line()) else {
            throw try document["mode"].error(expected: "kernels or run")
        }
        self.init(
            mode: mode, header: try Header(document["header"]), limits: try Limits(document["limits"]), rows: [])
        for field in try document["rows"].array() { rows.append(try Row(field)) }
        if mode == .run {
            for field in try document["steps"].array() { steps.append(try Step(field, rowCount: rows.count)) }
        }
        if let field = try document["overhead"].present {
            overhead = Overhead(
                markedEvery: try field["marked_every"].int(),
                markedStep: try field["marked_step_ns"].double(), plainStep: try field["plain_step_ns"].double(),
                attributed: try field["attributed"].double(),
                clockDeviation: try field["clock_deviation_ns"].present?.double())
        }
        for field in try document["notes"].array() { notes.append(try field.line()) }
    }
}

private func number(_ value: Double) -> JSONValue { JSONValue((value * 1000).rounded() / 1000) }
private func optional(_ value: Double?) -> JSONValue { value.map(number) ?? .null }
private func optional(_ value: Int?) -> JSONValue { value.map { JSONValue($0) } ?? .null }
private func optional(_ value: String?) -> JSONValue { value.map { JSONValue($0) } ?? .null }

extension JSONField {
    /// A count, which a double represents exactly.
    fileprivate func count() throws(JSONError) -> Int {
        let value = try int()
        guard (0...1 << 53).contains(value) else { throw error(expected: "0 to 2^53", found: "\(value)") }
        return value
    }

    /// A string without control characters and line breaks, as `printable` writes it.
    fileprivate func line() throws(JSONError) -> String { try string().printable }

    fileprivate func numbers() throws(JSONError) -> [Double] {
        var values: [Double] = []
        for field in try array() { values.append(try field.double()) }
        return values
    }

    fileprivate func strings() throws(JSONError) -> [String] {
        var values: [String] = []
        for field in try array() { values.append(try field.line()) }
        return values
    }
}

extension Profile.Header {
    var json: JSONValue {
        [
            "device": JSONValue(device), "kind": JSONValue(kind), "driver": JSONValue(driver),
            "vulkan": JSONValue(vulkan), "subgroup_size": JSONValue(subgroupSize),
            "shared_bytes": JSONValue(sharedByteCount), "memory_bytes": JSONValue(memoryByteCount),
            "clocks": .array(clocks.map { JSONValue($0) }),
            "shaders": .object(shaders.map { JSONMember($0.name, JSONValue($0.hash)) }),
            "commit": optional(commit), "command_line": .array(commandLine.map { JSONValue($0) }),
            "date": JSONValue(date), "model": JSONValue(model),
        ]
    }

    fileprivate init(_ field: JSONField) throws(JSONError) {
        var shaders: [Shader] = []
        for (name, hash) in try field["shaders"].object() {
            shaders.append(Shader(name: name.printable, hash: try hash.line()))
        }
        self.init(
            device: try field["device"].line(), kind: try field["kind"].line(),
            driver: try field["driver"].line(), vulkan: try field["vulkan"].line(),
            subgroupSize: try field["subgroup_size"].count(), sharedByteCount: try field["shared_bytes"].count(),
            memoryByteCount: try field["memory_bytes"].count(), clocks: try field["clocks"].strings(), shaders: shaders,
            commit: try field["commit"].present?.line(), commandLine: try field["command_line"].strings(),
            date: try field["date"].line(), model: try field["model"].line())
    }
}

extension Profile.Limits {
    public var json: JSONValue {
        [
            "copy_bytes_per_second": number(copyBytesPerSecond), "fp32_flops_per_second": number(fp32FlopsPerSecond),
            "fp16_flops_per_second": optional(fp16FlopsPerSecond),
            "matrix_flops_per_second": optional(matrixFlopsPerSecond), "launch_ns": number(launchNanoseconds),
            "mark_ns": number(markNanoseconds),
        ]
    }

    fileprivate init(_ field: JSONField) throws(JSONError) {
        self.init(
            copyBytesPerSecond: try field["copy_bytes_per_second"].double(),
            fp32FlopsPerSecond: try field["fp32_flops_per_second"].double(),
            fp16FlopsPerSecond: try field["fp16_flops_per_second"].present?.double(),
            matrixFlopsPerSecond: try field["matrix_flops_per_second"].present?.double(),
            launchNanoseconds: try field["launch_ns"].double(),
            markNanoseconds: try field["mark_ns"].double())
    }
}

extension Profile.Row {
    fileprivate var json: JSONValue {
        [
            "kernel": JSONValue(kernel), "variant": JSONValue(variant), "shape": JSONValue(shape),
            "dispatches": JSONValue(dispatchCount), "bytes": JSONValue(byteCount), "flops": JSONValue(flopCount),
            "uses": optional(useCount),
            "samples_ns": .array(samples.map(number)), "round_sizes": .array(roundSizes.map { JSONValue($0) }),
            "yardsticks_ns": .array(yardsticks.map(number)), "gap_ns": optional(gap), "check": optional(check),
            "code": code.map {
                [
                    "registers": optional($0.registers), "spills": optional($0.spills),
                    "shared_bytes": optional($0.sharedByteCount), "subgroup_size": optional($0.subgroupSize),
                ]
            } ?? .null,
        ]
    }

    fileprivate init(_ field: JSONField) throws(JSONError) {
        let code = try field["code"].present
        var sizes: [Int] = []
        for size in try field["round_sizes"].array() { sizes.append(try size.int()) }
        let (samples, yardsticks) = (try field["samples_ns"].numbers(), try field["yardsticks_ns"].numbers())
        guard sizes.allSatisfy({ (1...max(1, samples.count)).contains($0) }), sizes.reduce(0, +) == samples.count,
            yardsticks.isEmpty || yardsticks.count == sizes.count
        else {
            throw try field["round_sizes"].error(
                expected: "positive sizes that add up to \(samples.count) samples", found: "\(sizes)")
        }
        self.init(
            kernel: try field["kernel"].line(), variant: try field["variant"].line(),
            shape: try field["shape"].line(), dispatchCount: try field["dispatches"].count(),
            byteCount: try field["bytes"].count(), flopCount: try field["flops"].count(),
            useCount: try field["uses"].present?.count(), samples: samples,
            roundSizes: sizes, yardsticks: yardsticks, gap: try field["gap_ns"].present?.double(),
            check: try field["check"].present?.line(),
            code: try code.map { (code) throws(JSONError) in
                Profile.CompiledCode(
                    registers: try code["registers"].present?.count(), spills: try code["spills"].present?.count(),
                    sharedByteCount: try code["shared_bytes"].present?.count(),
                    subgroupSize: try code["subgroup_size"].present?.count())
            })
    }
}

extension Profile.Step {
    fileprivate var json: JSONValue {
        [
            "phase": JSONValue(phase), "tokens": JSONValue(tokenCount), "start_ns": number(start),
            "end_ns": number(end), "device_start_ns": number(deviceStart), "device_end_ns": number(deviceEnd),
            "dispatches": .array(
                dispatches.map {
                    [
                        "layer": JSONValue($0.layer), "operation": JSONValue($0.operation), "row": JSONValue($0.row),
                        "start_ns": number($0.start), "end_ns": number($0.end),
                    ]
                }),
            "host": .array(
                host.map {
                    ["name": JSONValue($0.name), "start_ns": number($0.start), "end_ns": number($0.end)]
                }),
        ]
    }

    fileprivate init(_ field: JSONField, rowCount: Int) throws(JSONError) {
        self.init(
            phase: try field["phase"].line(), tokenCount: try field["tokens"].count(),
            start: try field["start_ns"].double(), end: try field["end_ns"].double(),
            deviceStart: try field["device_start_ns"].double(), deviceEnd: try field["device_end_ns"].double(),
            dispatches: [], host: [])
        for item in try field["dispatches"].array() {
            let row = try item["row"].int()
            guard (0..<rowCount).contains(row) else { throw try item["row"].error(expected: "0 to \(rowCount - 1)") }
            dispatches.append(
                Profile.Dispatch(
                    layer: try item["layer"].line(), operation: try item["operation"].line(), row: row,
                    start: try item["start_ns"].double(), end: try item["end_ns"].double()))
        }
        for item in try field["host"].array() {
            host.append(
                Profile.Span(
                    name: try item["name"].line(), start: try item["start_ns"].double(),
                    end: try item["end_ns"].double()))
        }
    }
}
