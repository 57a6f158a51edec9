import JSON
import Testing

@Suite struct ParsingTests {
    /// JSON texts, each with the same value in compact form.
    static let valid: [(String, String)] = [
        ("null", "null"), (" true\n", "true"), ("\tfalse\r", "false"), ("0", "0"), ("-0", "-0"),
        ("12.50e+3", "12.50e+3"),
        ("1E400", "1E400"), ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("[]", "[]"), ("[ ]", "[]"), ("{ }", "{}"), ("[1 , [ 2,{}] ]", "[1,[2,{}]]"),
        ("{ \"a\" : 1 , \"a\" : 2 }", "{\"a\":1,\"a\":2}"), ("{\"\":\"\"}", "{\"\":\"\"}"),
        ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""), ("\"\\u0041\\u00e9\\u20AC\"", "\"Aé€\""),
        ("\"\\ud83d\\uDE00\"", "\"😀\""), ("\"😀\u{7F}\u{2028}\"", "\"😀\\u007f\\u2028\""), ("\"\\u0000\"", "\"\\u0000\""),
        ("\"\\ud83d\"", "\"\u{FFFD}\""), ("\"\\ude00x\"", "\"\u{FFFD}x\""), ("\"\\ud83d\\u0041\"", "\"\u{FFFD}A\""),
        ("\"\\ud83d\\ud83d\\ude00\"", "\"\u{FFFD}😀\""), ("\"\\ud83dA\"", "\"\u{FFFD}A\""),
    ]

    @Test(arguments: valid) func accepts(text: String, compact: String) throws {
        let value = try JSONValue(parsing: text)
        #expect(value.serialized() == compact)
        #expect(try JSONValue(parsing: value.serialized(pretty: true)) == value)
    }

    /// Malformed texts, each with the offset of the error.
    static let invalid: [(String, Int)] = [
        ("", 0), (" ", 1), ("nul", 3), ("nulL", 3), ("nullx", 4), ("True", 0), ("tru", 3), ("+1", 0), ("01", 1),
        ("-", 1),
        ("-x", 1), ("1.", 2), (".5", 0), ("1e", 2), ("1e+", 3), ("1.e1", 2), ("0x10", 1), ("NaN", 0), ("Infinity", 0),
        ("-Infinity", 1), ("[", 1), ("[1", 2), ("[1,", 3), ("[1,]", 3), ("[,1]", 1), ("[1 2]", 3), ("[1}", 2), ("]", 0),
        ("[]]", 2), ("{", 1), ("{\"a\"", 4), ("{\"a\":", 5), ("{\"a\":1", 6), ("{\"a\":1,", 7), ("{\"a\":1,}", 7),
        ("{\"a\" 1}", 5), ("{a:1}", 1), ("{1:1}", 1), ("{\"a\":1]", 6), ("{,}", 1), ("{\"a\":1 \"b\":2}", 7),
        ("'a'", 0),
        ("\"", 1), ("\"a", 2), ("\"\\", 2), ("\"\\x\"", 2), ("\"\\u12\"", 5), ("\"\\u12g4\"", 5),
        ("\"\\ud83d\\u12\"", 11),
        ("\"a\nb\"", 2), ("\"a\u{0}b\"", 2), ("\"\t\"", 1), ("\"\\u\"", 3), ("// x\n1", 0), ("1 // x", 2),
        ("\u{FEFF}1", 0),
        ("1 2", 2), ("[1] x", 4), ("\u{A0}1", 0), ("[1e99999999999x]", 14),
    ]

    @Test(arguments: invalid) func rejects(text: String, offset: Int) {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        guard case .position(let found, _, _) = error?.location else {
            Issue.record("no position: \(String(describing: error))")
            return
        }
        #expect(found == offset, "\(text): \(String(describing: error))")
        // Skipping a value reports the same error.
        let skipping = #expect(throws: JSONError.self) {
            try JSONReader.read(Array(text.utf8)) { (reader) throws(JSONError) in try reader.skipValue() }
        }
        #expect(skipping == error)
    }

    @Test(
        arguments: [
            [0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xC3], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xE2, 0x82],
            [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xF0, 0x9F, 0x98],
        ] as [[UInt8]])
    func rejectsInvalidUTF8(bytes: [UInt8]) {
        let text = Array("[\"ab".utf8) + bytes + Array("\"]".utf8)
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text, name: "x.json") }
        #expect(error?.location == .position(offset: 4, line: 1, column: 5))
        #expect(error?.expected == "valid UTF-8")
    }

    @Test func errorsNameThePlace() {
        let error = #expect(throws: JSONError.self) {
            try JSONValue(parsing: "{\n  \"é\": 1,\n  \"é\" x\n}", name: "config.json")
        }
        #expect(error?.description == "config.json:3:7 (byte 20): expected ':', found 'x'")
        let short = #expect(throws: JSONError.self) { try JSONValue(parsing: "[1", name: "x.json") }
        #expect(short?.description == "x.json:1:3 (byte 2): expected ',' or ']', found the end of the text")
    }

    @Test func depthIsLimited() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try JSONValue(parsing: nested(JSONReader.maximumDepth))
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: nested(JSONReader.maximumDepth + 1)) }
        #expect(error?.expected == "nesting no deeper than 256")
        #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: "{\"a\":", count: 1_000_000)) }
    }
}
