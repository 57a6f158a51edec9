extension Profile {
    /// CSV by RFC 4180: a header line, then one line per row. Lines end with CRLF; fields with commas, quotes or line
    /// breaks are quoted.
    ///
    /// | columns | content |
    /// | --- | --- |
    /// | mode | "kernels" or "run" |
    /// | kernel, variant, shape | as in the table |
    /// | samples | number of measured uses |
    /// | dispatches | number of dispatches of all uses |
    /// | total_ns | time of all uses |
    /// | mean_ns, min_ns, p50_ns, p99_ns | time of one use |
    /// | bytes, flops | per use |
    /// | bytes_per_second, flops_per_second | at the median time |
    /// | share_of_time, share_of_limit | fractions of 1 |
    /// | bound_by | "memory", "arithmetic" or "launch" |
    /// | gap_ns | mean time between the previous dispatch's end and this kernel's start |
    /// | registers, spills, shared_bytes, subgroup_size | of the compiled code |
    /// | check | result of comparing with the reference |
    /// | device, driver, vulkan, model, commit, date, command_line, clocks, limit_… | the same in every line |
    /// | shader_hash | of the variant's SPIR-V |
    ///
    /// Values that are not available are empty fields.
    public var csv: String {
        let tabulation = Tabulation(self)
        var lines = [Self.csvColumns.joined(separator: ",")]
        for row in rows {
            func number(_ column: Column) -> String {
                guard case .number(let value) = tabulation.key(column, row) else { return "" }
                // Rounds times and rates to three decimals, and does not round values below 1000, such as shares.
                let rounded = abs(value) < 1000 ? value : (value * 1000).rounded() / 1000
                return Int(exactly: rounded).map { "\($0)" } ?? "\(rounded)"
            }
            let bound: String
            if case .text(let text) = tabulation.key(.bound, row) { bound = text } else { bound = "" }
            // A variant begins with its shader's name.
            let shader = header.shaders.first { $0.name == row.variant.prefix { $0 != "," && $0 != " " } }
            var fields = [mode.rawValue, row.kernel, row.variant, row.shape, "\(row.samples.count)"]
            fields += [.dispatches, .total, .mean, .least, .p50, .p99].map(number)
            fields += ["\(row.byteCount)", "\(row.flopCount)"]
            fields += [.bytes, .flops, .share, .limit].map(number)
            fields += [bound]
            fields += [.gap, .registers, .spills, .shared, .subgroup].map(number)
            fields += [row.check ?? ""] + whole(shader?.hash ?? "")
            lines.append(fields.map(Self.quoted).joined(separator: ","))
        }
        return lines.map { $0 + "\r\n" }.joined()
    }

    /// The fields of the whole profile, and the hash of the row's shader among them.
    private func whole(_ shaderHash: String) -> [String] {
        var fields = [header.device, header.driver, header.vulkan, header.model, header.commit ?? "", shaderHash]
        fields += [header.date, header.commandLine.joined(separator: " "), header.clocks.joined(separator: "; ")]
        for limit in [limits.copyBytesPerSecond, limits.fp32FlopsPerSecond, limits.launchNanoseconds] {
            fields.append(limit.isFinite ? "\(limit)" : "")
        }
        return fields
    }

    private static let csvColumns = [
        "mode", "kernel", "variant", "shape", "samples", "dispatches", "total_ns", "mean_ns", "min_ns", "p50_ns",
        "p99_ns", "bytes", "flops", "bytes_per_second", "flops_per_second", "share_of_time", "share_of_limit",
        "bound_by", "gap_ns", "registers", "spills", "shared_bytes", "subgroup_size", "check", "device", "driver",
        "vulkan", "model", "commit", "shader_hash", "date", "command_line", "clocks", "limit_copy_bytes_per_second",
        "limit_fp32_flops_per_second", "limit_launch_ns",
    ]

    private static func quoted(_ field: String) -> String {
        guard field.utf8.contains(where: { [0x22, 0x2C, 0x0D, 0x0A].contains($0) }) else { return field }
        return "\"" + field.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
