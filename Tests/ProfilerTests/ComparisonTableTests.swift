import JSON
import Numerics
import Testing

@testable import Profiler

struct ComparisonTableTests {
    /// Six kernels: one becomes slower, one changes its variant, one is removed and one is added.
    private func comparison() throws -> Profile.Comparison {
        var random = SeededRandom(seed: 1)
        let machine = SimulatedMachine(totalNoise: 0.01)
        var before = machine.profile(rows: 6, rounds: 10, random: &random)
        var after = machine.profile(rows: 6, rounds: 10, random: &random)
        after.rows[1].samples = after.rows[1].samples.map { $0 * 1.3 }
        for index in [2, 3] {
            before.rows[index].kernel = "linear"
            after.rows[index].kernel = "linear"
        }
        before.rows[3].variant = "gemv, format 3"
        after.rows[3].variant = "gemm, \"format\" 3"
        let long = "decode q_b of every layer but the first, 1 × 1536 to 24576, fp8E4M3"
        before.rows[4].shape = long
        after.rows[4].shape = long
        before.rows[4].samples = before.rows[4].samples.map { $0 * 40_000 }
        after.rows[4].samples = after.rows[4].samples.map { $0 / 1000 }
        after.rows[5].kernel = "another kernel"
        after.header.driver = "example 1.2.4"
        after.header.commandLine +=
            Array(repeating: "--a-very-long-option", count: 12) + [String(repeating: "x", count: 200)]
        after.header.shaders[0].hash = "1"
        return try Profile.Comparison(before: before, after: after)
    }

    @Test func theTableFits() throws {
        let table = try comparison().table
        let lines = table.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.allSatisfy { $0.count <= 120 && $0.last != " " })
        // Every row is in the table, with its values in the right columns.
        let verdicts = lines.compactMap { $0.count > 110 ? String($0.dropFirst(110)) : nil }
        #expect(
            verdicts.filter { ["slower", "faster", "same"].contains($0) } == [
                "same", "slower", "same", "same", "faster",
            ])
        #expect(table.contains("kernel 1: v\n  1 × 64 "))
        #expect(table.contains("linear: gemv, format 3 before, gemm, \"format\" 3 after\n"))
        #expect(table.contains("decode q_b of every… to 24576, fp8E4M3"))
        #expect(table.contains("only before:\n  kernel 5: v | 1 × 64 | "))
        #expect(table.contains("only after:\n  another kernel: v | 1 × 64 | "))
        #expect(table.contains("warning driver: example 1.2.3 before, example 1.2.4 after\n"))
        #expect(table.contains("shaders changed: gemv\n"))
        #expect(table.contains("copy 400.0 GB/s, FP32 20.000 TFLOP/s, device 1800 MHz"))
        #expect(table.contains("\n1 slower, 1 faster, 3 same, 0 too noisy, 1 only before, 1 only after. "))
        #expect(try comparison().summary.hasSuffix("at most 0.03 of 5 rows slower or faster."))
    }

    @Test func numbersReadWell() throws {
        let row = try comparison().rows[1]
        let change = try #require(row.change)
        let line = try #require(try comparison().table.split(separator: "\n").first { $0.hasSuffix("slower") })
        let ratio = fixed((change.ratio - 1) * 100, 1)
        #expect(line.contains("  +\(ratio)%  ") && line.contains("% to +") && line.contains("  <0.001      5%  slower"))
        #expect(line.contains(" µs "))
    }

    @Test func csvHoldsEveryRow() throws {
        let comparison = try comparison()
        let lines = comparison.csv.split(separator: "\r\n").map(String.init)
        #expect(lines.count == 8)
        let fields = lines.map { fieldsOfCSV($0) }
        #expect(fields.allSatisfy { $0.count == 14 })
        let slower = try #require(fields.first { $0[13] == "slower" })
        let row = comparison.rows[1]
        #expect(slower[0] == "kernel 1" && slower[4] == "\(row.nanosecondsBefore)" && slower[6] == "10")
        #expect(slower[8] == row.change.map { "\($0.ratio)" } && slower[12] == "0.05")
        #expect(fields[4][2...3] == ["gemv, format 3", "gemm, \"format\" 3"])
        #expect(fields[6][13] == "removed" && fields[6][4] != "" && fields[6][5] == "")
        #expect(fields[7][13] == "added" && fields[7][4] == "" && fields[7][5] != "")
    }

    @Test func jsonHoldsEverything() throws {
        let comparison = try comparison()
        let document = try JSONField(parsing: Array(comparison.json.serialized(pretty: true).utf8), name: "c.json")
        #expect(try document["format"].string() == "fathom-comparison")
        #expect(try document["exit_code"].int() == 2)
        #expect(try document["smallest_effect"].double() == 0.05)
        #expect(try document["before"]["header"]["device"].string() == "Example GPU")
        #expect(try document["after"]["limits"]["launch_ns"].double() == 10)
        #expect(try document["counts"]["slower"].int() == 1 && document["counts"]["too noisy"].int() == 0)
        #expect(try document["removed"].array()[0]["kernel"].string() == "kernel 5")
        #expect(try document["added"].array()[0]["median_ns"].double() == comparison.added[0].p50)
        let rows = try document["rows"].array()
        #expect(rows.count == 5)
        for (field, row) in zip(rows, comparison.rows) {
            #expect(try field["verdict"].string() == row.verdict.rawValue)
            #expect(try field["ratio"].double() == row.change?.ratio)
            #expect(try field["ratio_low"].double() == row.change?.interval?.lowerBound)
            #expect(try field["p"].double() == row.change?.p)
        }
    }
}

/// The fields of one line by RFC 4180.
private func fieldsOfCSV(_ line: String) -> [String] {
    var (fields, isQuoted, previous) = ([""], false, Character(" "))
    for character in line {
        if character == "\"" {
            // Two quotation marks within a quoted field stand for one.
            if !isQuoted, previous == "\"" { fields[fields.count - 1].append(character) }
            isQuoted.toggle()
        } else if character == ",", !isQuoted {
            fields.append("")
        } else {
            fields[fields.count - 1].append(character)
        }
        previous = character
    }
    return fields
}
