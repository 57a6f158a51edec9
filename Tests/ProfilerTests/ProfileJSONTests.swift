import JSON
import Testing

@testable import Profiler

struct ProfileJSONTests {
    @Test func roundTrips() throws {
        let profile = Profile.sample()
        let text = profile.json.serialized(pretty: true)
        let read = try Profile(JSONField(parsing: Array(text.utf8), name: "a.json"))
        #expect(read == profile)
    }

    /// Changes to a valid document, each with the expected error.
    @Test(arguments: [
        ("\"version\": 1", "\"version\": 2", "a.json: version: expected 1: measure again"),
        ("\"format\": \"fathom-profile\"", "\"format\": \"x\"", "a.json: format: expected fathom-profile"),
        ("\"mode\": \"run\"", "\"mode\": \"walk\"", "a.json: mode: expected kernels or run"),
        ("\"launch_ns\": 2000.0", "\"launch_ns\": \"x\"", "a.json: limits.launch_ns: expected a number"),
        ("\"row\": 2", "\"row\": 3", "row: expected 0 to 2, found number 3"),
    ])
    func whatIsWrongIsNamed(from: String, to: String, expected: String) throws {
        let text = Profile.sample().json.serialized(pretty: true)
        let start = try #require(text.firstRange(of: from))
        let changed = text.replacingCharacters(in: start, with: to)
        #expect {
            try Profile(JSONField(parsing: Array(changed.utf8), name: "a.json"))
        } throws: { error in
            "\(error)".contains(expected)
        }
    }

    @Test func roundsMustCoverTheSamples() throws {
        var profile = Profile.sample()
        // The last sum exceeds 64 bits.
        for sizes in [[3], [.max, 1], [Int](repeating: 1 << 62, count: 4)] {
            profile.rows[0].roundSizes = sizes
            let text = profile.json.serialized()
            #expect(throws: JSONError.self) { try Profile(JSONField(parsing: Array(text.utf8), name: "a.json")) }
        }
    }

    /// Counts beyond the integers that a double represents exactly, and negative ones, are errors.
    @Test(arguments: [
        "bytes", "flops", "dispatches", "tokens", "memory_bytes", "shared_bytes", "subgroup_size",
    ])
    func countsAreBounded(key: String) throws {
        let text = Profile.sample().json.serialized()
        let pattern = try Regex("\"\(key)\": ?[0-9]+")
        #expect(text.contains(pattern))
        for number in ["9007199254740993", "9223372036854775807", "-1"] {
            let changed = text.replacing(pattern, with: "\"\(key)\":\(number)")
            let error = #expect(throws: JSONError.self) {
                try Profile(JSONField(parsing: Array(changed.utf8), name: "a.json"))
            }
            #expect(error.map { "\($0)" }?.contains("\(key): expected 0 to 2^53, found \(number)") == true)
        }
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<Index>, with text: String) -> String {
        var copy = self
        copy.replaceSubrange(range, with: text)
        return copy
    }
}
