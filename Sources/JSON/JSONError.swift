/// An error in a JSON text: the location, the expected content and the content found.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A position in the text (for syntax errors), or the path of a well-formed value that is not acceptable.
    public enum Location: Equatable, Sendable {
        /// `offset` counts bytes from 0; `line` and `column` count from 1, columns in Unicode scalars.
        case position(offset: Int, line: Int, column: Int)
        /// Keys and indices from the root, as in `rope_scaling.factor` or `layers[3]`; empty for the root itself.
        case path(String)
    }

    /// The document's name, usually its file name; may be empty.
    public var name: String
    public var location: Location
    public var expected: String
    public var found: String

    public init(name: String, location: Location, expected: String, found: String) {
        self.name = name
        self.location = location
        self.expected = expected
        self.found = found
    }

    public var description: String {
        let what = "expected \(expected), found \(found)"
        switch location {
        case .position(let offset, let line, let column):
            return "\(name.isEmpty ? "" : name + ":")\(line):\(column) (byte \(offset)): \(what)"
        case .path(let path):
            return ([name, path].filter { !$0.isEmpty } + [what]).joined(separator: ": ")
        }
    }

    /// An error at byte `offset` of `bytes`. Computes line and column here, so that reading without errors need not
    /// count them.
    init(name: String, bytes: UnsafeRawBufferPointer, offset: Int, expected: String, found: String? = nil) {
        var line = 1
        var column = 1
        for byte in bytes[..<min(offset, bytes.count)] {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        self.init(
            name: name, location: .position(offset: offset, line: line, column: column), expected: expected,
            found: found ?? Self.describe(bytes, at: offset))
    }

    private static func describe(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> String {
        guard offset < bytes.count else { return "the end of the text" }
        let byte = bytes[offset]
        if byte == 0xEF, offset + 2 < bytes.count, bytes[offset + 1] == 0xBB, bytes[offset + 2] == 0xBF {
            return "a byte order mark"
        }
        if (0x21...0x7E).contains(byte) { return "'\(Character(Unicode.Scalar(byte)))'" }
        let digits = String(byte, radix: 16, uppercase: true)
        return "byte 0x\(digits.count == 1 ? "0" : "")\(digits)"
    }
}
