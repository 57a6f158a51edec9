import JSON
import Testing

@Suite struct ReaderTests {
    func read<Result>(
        _ text: String, _ body: (inout JSONReader) throws(JSONError) -> Result
    ) throws(JSONError) -> Result {
        try JSONReader.read(Array(text.utf8), name: "t", body)
    }

    @Test func readsRequestedMembersAndSkipsOthers() throws {
        let text =
            #"{"skip": [1, {"x": "\n"}, null], "n": -7, "s": "a\u0062c", "f": 2.5, "b": true, "z": null, "l": ["x", "y"]}"#
        var seen: [String] = []
        try read(text) { (reader) throws(JSONError) in
            try reader.beginObject()
            while let key = try reader.nextKey() {
                switch key {
                case "n": seen.append("\(try reader.readInt())")
                case "s": seen.append(try reader.readString())
                case "f": seen.append("\(try reader.readDouble())")
                case "b": seen.append("\(try reader.readBool())")
                case "z": seen.append("\(try reader.readNullIfPresent())")
                case "l":
                    try reader.beginArray()
                    while try reader.nextElement() { seen.append(try reader.readString()) }
                default: try reader.skipValue()
                }
            }
        }
        #expect(seen == ["-7", "abc", "2.5", "true", "true", "x", "y"])
    }

    @Test func bytesKeepLoneSurrogates() throws {
        let bytes = try read(#"["\ud800", "a\udfffb", "\ud83d\ude00", "plain"]"#) { (reader) throws(JSONError) in
            var all: [[UInt8]] = []
            try reader.beginArray()
            while try reader.nextElement() { all.append(Array(try reader.readStringBytes())) }
            return all
        }
        #expect(bytes == [[0xED, 0xA0, 0x80], [0x61, 0xED, 0xBF, 0xBF, 0x62], Array("😀".utf8), Array("plain".utf8)])
    }

    @Test func keysAsBytes() throws {
        let keys = try read(#"{"a\n": 1, "ü": 2}"#) { (reader) throws(JSONError) in
            var keys: [[UInt8]] = []
            try reader.beginObject()
            while let key = try reader.nextKeyBytes() {
                keys.append(Array(key))
                try reader.skipValue()
            }
            return keys
        }
        #expect(keys == [Array("a\n".utf8), Array("ü".utf8)])
    }

    @Test func numbersAtTheLimits() throws {
        #expect(try read("9223372036854775807") { (r) throws(JSONError) in try r.readInt() } == .max)
        #expect(try read("-9223372036854775808") { (r) throws(JSONError) in try r.readInt() } == .min)
        #expect(try read("-0") { (r) throws(JSONError) in try r.readInt() } == 0)
        #expect(
            try read("1.7976931348623157e308") { (r) throws(JSONError) in try r.readDouble() }
                == .greatestFiniteMagnitude)
        #expect(try read("5e-324") { (r) throws(JSONError) in try r.readDouble() } == .leastNonzeroMagnitude)
        #expect(try read("1e-400") { (r) throws(JSONError) in try r.readDouble() } == 0)
        #expect(try read("0.1") { (r) throws(JSONError) in try r.readDouble() } == 0.1)
    }

    @Test(arguments: [
        ("9223372036854775808", "t:1:1 (byte 0): expected a 64-bit integer, found 9223372036854775808"),
        (" 1.0", "t:1:2 (byte 1): expected a 64-bit integer, found 1.0"),
        ("\"1\"", "t:1:1 (byte 0): expected an integer, found a string"),
        ("[1]", "t:1:1 (byte 0): expected an integer, found an array"),
        ("null", "t:1:1 (byte 0): expected an integer, found null"),
        ("?", "t:1:1 (byte 0): expected an integer, found '?'"),
        ("", "t:1:1 (byte 0): expected an integer, found the end of the text"),
    ])
    func integerErrors(text: String, description: String) {
        let error = #expect(throws: JSONError.self) { try read(text) { (r) throws(JSONError) in try r.readInt() } }
        #expect(error?.description == description)
    }

    @Test(arguments: ["1e309", "-1e309", "1" + String(repeating: "0", count: 400)])
    func doublesOutOfRange(text: String) {
        let error = #expect(throws: JSONError.self) { try read(text) { (r) throws(JSONError) in try r.readDouble() } }
        #expect(error?.expected == "a number within double precision's range")
        #expect(error?.found == text)
    }

    /// Every prefix of a text throws, and no change of a single byte traps.
    @Test func damagedTexts() {
        let text = Array(#"{"a":[1,-2.5e+3,"x\u00e9\ud83d\ude00ü",true,false,null,{}],"b":{"c":[[]]}}"#.utf8)
        for length in 0..<text.count {
            #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text[..<length])) }
        }
        var changed = text
        for index in text.indices {
            for byte in UInt8.min...UInt8.max {
                changed[index] = byte
                _ = try? JSONValue(parsing: changed)
            }
            changed[index] = text[index]
        }
    }
}
