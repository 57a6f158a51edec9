import Checkpoint
import Numerics
import Testing

@Suite struct HeaderTests {
    /// The error of a file with this header and `data` bytes of data, or nil.
    func complaint(_ header: String, data: Int = 8, length: UInt64? = nil) -> String? {
        let length = length ?? UInt64(header.utf8.count)
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8)
        return complaint(bytes: bytes + [UInt8](repeating: 0, count: data))
    }

    func complaint(bytes: [UInt8]) -> String? {
        bytes.withUnsafeBytes { buffer in
            do throws(CheckpointError) {
                _ = try SafetensorsFile(.memory(name: "memory", ["a.safetensors": buffer]), "a.safetensors")
                return nil
            } catch { return error.description }
        }
    }

    static func entry(_ type: String = "F32", _ shape: String = "[2]", _ offsets: String = "[0,8]") -> String {
        #"{"dtype":"\#(type)","shape":\#(shape),"data_offsets":\#(offsets)}"#
    }

    @Test func wholeFiles() {
        #expect(complaint("{}", data: 0) == nil)
        #expect(complaint(#"{"a":\#(Self.entry())}   "#) == nil)
        #expect(
            complaint(#"{"__metadata__":{"format":"pt"},"a":\#(Self.entry("F32", "[]", "[0,4]"))}"#, data: 4) == nil)
        #expect(complaint(#"{"a":\#(Self.entry()),"b":\#(Self.entry("F32", "[0,5]", "[8,8]"))}"#) == nil)
    }

    @Test(arguments: [
        ("", "a header within"),
        (" {}", "starts with {"),
        ("{ ", "the end of the text"),
        (#"{"a":\#(entry()),"a":\#(entry("F32", "[0]", "[8,8]"))}"#, "a twice"),
        (#"{"a":\#(entry("F12"))}"#, "expected one of"),
        (#"{"a":\#(entry("F32", "[3]"))}"#, "as many bytes"),
        (#"{"a":\#(entry("BF16"))}"#, "as many bytes"),
        (#"{"a":\#(entry("F32", "[-2]"))}"#, "not negative"),
        (#"{"a":\#(entry("F32", "[4611686018427387904,4611686018427387904]"))}"#, "as many bytes"),
        (#"{"a":\#(entry("F32", "[4611686018427387906]"))}"#, "as many bytes"),
        (#"{"a":\#(entry("F32", "[0,4611686018427387904,4]", "[0,0]"))}"#, "as many bytes"),
        (#"{"a":\#(entry("F32", "[99999999999999999999]"))}"#, "64-bit"),
        (#"{"a":\#(entry("F32", "[2]", "[8,0]"))}"#, "start ≤ end"),
        (#"{"a":\#(entry("F32", "[2]", "[0]"))}"#, "start ≤ end"),
        (#"{"a":\#(entry("F32", "[1]", "[4,8]"))}"#, "data at offset 0"),
        (#"{"a":\#(entry("F32", "[1]", "[0,4]")),"b":\#(entry("F32", "[2]", "[0,8]"))}"#, "data at offset 4"),
        (#"{"a":\#(entry("F32", "[1]", "[0,4]"))}"#, "4 bytes of data"),
        (#"{"a":\#(entry("F32", "[4]", "[0,16]"))}"#, "16 bytes of data"),
        (#"{"a":\#(entry("U8", "[281474976710656]", "[0,281474976710656]"))}"#, "bytes of data"),
        (#"{"a":\#(entry("U8", "[281474976710657]", "[0,281474976710657]"))}"#, "as many bytes"),
        (#"{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, "twice"),
        (#"{"a":{"shape":[2],"data_offsets":[0,8]}}"#, "dtype"),
        (#"{"__metadata__":{"x":1}}"#, "a string"),
    ])
    func damage(header: String, expected: String) throws {
        let found = try #require(complaint(header))
        #expect(found.contains("a.safetensors"))
        #expect(found.contains(expected), "\(found)")
    }

    @Test func lengths() throws {
        #expect(try #require(complaint(bytes: [1, 2, 3])).contains("3 bytes"))
        #expect(try #require(complaint("{}", length: 100_000_001)).contains("at most 100000000"))
        #expect(try #require(complaint("{}", length: .max)).contains("at most"))
        #expect(try #require(complaint("{}", length: 11)).contains("within"))
    }

    /// Prefixes of a file and single flipped bits in its header must not crash.
    @Test func anyDamageIsAnError() {
        let header = Array(#"{"a":\#(Self.entry())}"#.utf8)
        let whole = [UInt8(header.count), 0, 0, 0, 0, 0, 0, 0] + header + [UInt8](repeating: 0, count: 8)
        #expect(complaint(bytes: whole) == nil)
        for count in 0..<whole.count { #expect(complaint(bytes: Array(whole[..<count])) != nil) }
        for bit in 0..<8 * (8 + header.count) {
            var bytes = whole
            bytes[bit / 8] ^= 1 << (bit % 8)
            _ = complaint(bytes: bytes)
        }
    }
}
