import Testing

@testable import Profiler

struct ProfileCSVTests {
    /// Reads RFC 4180 strictly: only CRLF ends a record; quotes enclose whole fields and are doubled within.
    private static func records(_ text: String) throws -> [[String]] {
        var records: [[String]] = []
        var record: [String] = []
        var field: [UInt8] = []
        var bytes = Array(text.utf8)[...]
        func finish() {
            record.append(String(decoding: field, as: UTF8.self))
            field = []
        }
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "\""):
                try #require(field.isEmpty, "a quote within a field")
                while let inner = bytes.popFirst() {
                    if inner != UInt8(ascii: "\"") {
                        field.append(inner)
                    } else if bytes.first == UInt8(ascii: "\"") {
                        field.append(bytes.removeFirst())
                    } else {
                        break
                    }
                }
                try #require([0x2C, 0x0D].contains(bytes.first ?? 0), "text after a quoted field")
            case UInt8(ascii: ","): finish()
            case 0x0D:
                try #require(bytes.popFirst() == 0x0A, "CR without LF")
                finish()
                records.append(record)
                record = []
            default:
                try #require(byte != 0x0A, "LF without CR")
                field.append(byte)
            }
        }
        try #require(record.isEmpty && field.isEmpty, "the last record does not end with CRLF")
        return records
    }

    @Test(arguments: AnyProfile.allCases)
    func everyRowIsARecord(_ name: AnyProfile) throws {
        let profile = name.profile
        let records = try Self.records(profile.csv)
        #expect(records.count == profile.rows.count + 1, "\(name)")
        #expect(records.allSatisfy { $0.count == records[0].count }, "\(name)")
        for (row, record) in zip(profile.rows, records.dropFirst()) {
            let fields = Dictionary(uniqueKeysWithValues: zip(records[0], record))
            #expect(fields["kernel"] == row.kernel)
            #expect(fields["shape"] == row.shape)
            #expect(fields["device"] == profile.header.device)
            #expect(!record.contains { ["nan", "inf", "-"].contains($0) })
        }
    }

    @Test func values() throws {
        let records = try Self.records(Profile.oneRow().csv)
        let fields = Dictionary(uniqueKeysWithValues: zip(records[0], records[1]))
        let expected = [
            "mode": "kernels", "variant": "gemv 3", "samples": "4", "dispatches": "4", "total_ns": "160000",
            "p50_ns": "40000", "min_ns": "39000", "bytes": "8000000", "bytes_per_second": "200000000000",
            "share_of_time": "1", "share_of_limit": "0.5", "bound_by": "memory", "gap_ns": "", "registers": "",
            "check": "ok on 3072 values", "shader_hash": "0123456789abcdef", "commit": "abcdef0",
            "command_line": "fathom profile run", "date": "2026-11-21T08:00:00Z",
        ]
        for (key, value) in expected { #expect(fields[key] == value, "\(key)") }
    }
}
