import JSON
import Testing

@Suite struct ValueTests {
    static let text =
        #"{"a": 1, "big": 1e400, "rope_scaling": {"factor": "x", "list": [1, 2.5, null]}, "twice": 1, "twice": 2, "none": null}"#

    func root() throws -> JSONField { try JSONField(parsing: Array(Self.text.utf8), name: "config.json") }

    @Test func fieldsAreReadByPath() throws {
        let root = try root()
        #expect(try root["a"].int() == 1)
        #expect(try root["a"].double() == 1)
        #expect(try root["rope_scaling"]["factor"].string() == "x")
        #expect(try root["rope_scaling"]["list"].array()[1].double() == 2.5)
        #expect(try root["none"].present == nil)
        #expect(try root["absent"].present?.int() ?? 5 == 5)
        #expect(try root["rope_scaling"].object().map(\.key) == ["factor", "list"])
    }

    static let errors: [(String, @Sendable (JSONField) throws -> Void)] = [
        (
            "config.json: rope_scaling.factor: expected a number, found string \"x\"",
            { _ = try $0["rope_scaling"]["factor"].double() }
        ),
        (
            "config.json: rope_scaling.list[2]: expected a 64-bit integer, found null",
            { _ = try $0["rope_scaling"]["list"].array()[2].int() }
        ),
        (
            "config.json: rope_scaling.list[1]: expected a 64-bit integer, found number 2.5",
            { _ = try $0["rope_scaling"]["list"].array()[1].int() }
        ),
        ("config.json: absent: expected a string, found no such key", { _ = try $0["absent"].string() }),
        ("config.json: a: expected an object, found number 1", { _ = try $0["a"]["b"] }),
        ("config.json: twice: expected one value, found the key twice", { _ = try $0["twice"] }),
        (
            "config.json: big: expected a number within double precision's range, found number 1e400",
            { _ = try $0["big"].double() }
        ),
        ("config.json: rope_scaling: expected an array, found an object of 2", { _ = try $0["rope_scaling"].array() }),
        ("config.json: expected true or false, found an object of 6", { _ = try $0.bool() }),
    ]

    @Test(arguments: errors) func errorsNameThePath(description: String, read: @Sendable (JSONField) throws -> Void)
        throws
    {
        let root = try root()
        let error = #expect(throws: JSONError.self) { try read(root) }
        #expect(error?.description == description)
    }

    @Test func membersKeepOrderAndRepeats() throws {
        guard case .object(let members) = try JSONValue(parsing: #"{"b":1,"a":2,"b":3}"#) else {
            Issue.record("not an object")
            return
        }
        #expect(members == [JSONMember("b", 1), JSONMember("a", 2), JSONMember("b", 3)])
    }

    @Test func writesLiteralsAndEscapes() {
        let value: JSONValue = [
            "name": "a\"\\\n\u{1}\u{1F}é", "n": 3, "x": [0.1, nil, true], "empty": [], "none": [:],
        ]
        #expect(
            value.serialized()
                == #"{"name":"a\"\\\n\u0001\u001fé","n":3,"x":[0.1,null,true],"empty":[],"none":{}}"#)
        #expect(
            JSONValue.object([JSONMember("a", [1, 2]), JSONMember("b", [:])]).serialized(pretty: true)
                == "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}")
    }

    @Test(arguments: [
        0.1, -0.0, 1e-5, 1e16, 123_456_789.125, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .pi, 1.0 / 3, 2e-308,
        1e23,
        9.007199254740993e15,
    ])
    func doublesRoundTrip(value: Double) throws {
        let text = JSONValue(value).serialized()
        guard case .number(let number) = try JSONValue(parsing: text) else {
            Issue.record("\(text) is not a number")
            return
        }
        #expect(number.double?.bitPattern == value.bitPattern)
    }

    @Test func randomDoublesRoundTrip() throws {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        for _ in 0..<20_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let value = Double(bitPattern: state)
            guard value.isFinite else { continue }
            guard case .number(let number) = try JSONValue(parsing: JSONValue(value).serialized()) else {
                Issue.record("\(value) is not a number")
                return
            }
            #expect(number.double?.bitPattern == value.bitPattern)
        }
    }

    @Test func singlePrecisionIsShort() {
        #expect(JSONValue(Float(0.1)).serialized() == "0.1")
        #expect(JSONValue(Double.nan).serialized() == "null")
        #expect(JSONValue(-Float.infinity).serialized() == "null")
        #expect(JSONValue(UInt64.max).serialized() == "18446744073709551615")
    }

    /// Strings of a document cannot control the terminal that displays it.
    @Test func controlsAndDirectionsAreEscaped() throws {
        let text = "\u{7F}\u{9B}é\u{61C}\u{200E}\u{2028}\u{202E}\u{2069}漢😀"
        let written = JSONValue.string(text).serialized()
        #expect(written == #""\u007f\u009bé\u061c\u200e\u2028\u202e\u2069漢😀""#)
        #expect(try JSONValue(parsing: written) == .string(text))
    }
}
