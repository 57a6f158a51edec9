/// A pull reader over one JSON text: the caller reads the values that it expects and skips others without building
/// them.
///
/// Strict RFC 8259 over UTF-8: no comments, trailing commas, raw control characters, invalid UTF-8 or byte order mark.
/// Checks skipped values as strictly as others. Asking for a key outside an object, or for an element outside an array,
/// is a programmer's mistake and traps.
///
/// ```swift
/// try reader.beginObject()
/// while let key = try reader.nextKey() {
///     if key == "merges" { try reader.skipValue() } else { … }
/// }
/// try reader.finish()
/// ```
public struct JSONReader: ~Copyable {
    /// The kind of a value.
    public enum Kind: String, Sendable {
        case null, bool, number, string, array, object
    }

    /// Deeper nesting throws: callers recurse over values, and a file must not overflow their stack.
    public static let maximumDepth = 256

    let bytes: UnsafeRawBufferPointer
    /// The document's name, for errors.
    public let name: String
    /// Bytes consumed so far.
    public internal(set) var offset = 0
    /// Decoded text of a string with escapes. A string without escapes is returned in place.
    var scratch = ScratchBuffer()

    private struct Level {
        var isArray: Bool
        var isEmpty = true
    }
    private var levels: [Level] = []

    /// Reads `bytes`, which must outlive the reader.
    public init(_ bytes: UnsafeRawBufferPointer, name: String = "") {
        self.bytes = bytes
        self.name = name
    }

    /// Calls `body` with a reader over `bytes`, then checks that nothing follows the value that it read.
    public static func read<Result>(
        _ bytes: [UInt8], name: String = "", _ body: (inout JSONReader) throws(JSONError) -> Result
    ) throws(JSONError) -> Result {
        try bytes.withUnsafeBufferPointer { (buffer) throws(JSONError) in
            var reader = JSONReader(UnsafeRawBufferPointer(buffer), name: name)
            let result = try body(&reader)
            try reader.finish()
            return result
        }
    }

    // MARK: Structure

    /// The kind of the next value, according to its first byte.
    public mutating func peek() throws(JSONError) -> Kind {
        switch nextByte() {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case let byte? where byte == UInt8(ascii: "-") || Self.isDigit(byte): return .number
        default: throw error("a value")
        }
    }

    public mutating func beginObject() throws(JSONError) {
        guard nextByte() == UInt8(ascii: "{") else { throw mismatch("an object") }
        try push(isArray: false)
    }

    /// The next key of the innermost open object; nil at its end.
    public mutating func nextKey() throws(JSONError) -> String? {
        guard try nextMember() else { return nil }
        let key = String(decoding: try stringBytes(.replaced), as: UTF8.self)
        try colon()
        return key
    }

    /// As `nextKey()`, but as bytes that are valid until the reader's next call; lone surrogates are encoded as WTF-8.
    public mutating func nextKeyBytes() throws(JSONError) -> UnsafeRawBufferPointer? {
        guard try nextMember() else { return nil }
        // A key in `scratch` stays valid: reading the colon does not change it.
        let key = try stringBytes(.wtf8)
        try colon()
        return key
    }

    public mutating func beginArray() throws(JSONError) {
        guard nextByte() == UInt8(ascii: "[") else { throw mismatch("an array") }
        try push(isArray: true)
    }

    /// Whether the innermost open array has another element. If so, the caller must read or skip it.
    public mutating func nextElement() throws(JSONError) -> Bool {
        precondition(levels.last?.isArray == true, "nextElement() outside an array")
        return try advance(closing: UInt8(ascii: "]"), "',' or ']'", first: "a value or ']'")
    }

    /// Skips the next value after checking it.
    public mutating func skipValue() throws(JSONError) {
        switch try peek() {
        case .null: try readNull()
        case .bool: _ = try readBool()
        case .number: _ = try numberBytes()
        case .string: _ = try stringBytes(.wtf8)
        case .array:
            try beginArray()
            while try nextElement() { try skipValue() }
        case .object:
            try beginObject()
            while try nextMember() {
                _ = try stringBytes(.wtf8)
                try colon()
                try skipValue()
            }
        }
    }

    /// Checks that only white space follows.
    public mutating func finish() throws(JSONError) {
        precondition(levels.isEmpty, "finish() inside \(levels.count) open arrays or objects")
        guard nextByte() == nil else { throw error("the end of the text") }
    }

    // MARK: Literals

    public mutating func readNull() throws(JSONError) {
        guard nextByte() == UInt8(ascii: "n") else { throw mismatch("null") }
        try literal("null")
    }

    /// Consumes a null if one comes next; returns whether it did.
    public mutating func readNullIfPresent() throws(JSONError) -> Bool {
        guard try peek() == .null else { return false }
        try literal("null")
        return true
    }

    public mutating func readBool() throws(JSONError) -> Bool {
        switch nextByte() {
        case UInt8(ascii: "t"):
            try literal("true")
            return true
        case UInt8(ascii: "f"):
            try literal("false")
            return false
        default: throw mismatch("true or false")
        }
    }

    // MARK: Implementation

    /// Skips white space and returns the byte after it without consuming it; nil at the end.
    @inline(__always)
    mutating func nextByte() -> UInt8? {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x0A, 0x0D, 0x09: offset += 1
            case let byte: return byte
            }
        }
        return nil
    }

    func error(_ expected: String, at place: Int? = nil, found: String? = nil) -> JSONError {
        JSONError(name: name, bytes: bytes, offset: place ?? offset, expected: expected, found: found)
    }

    /// The error for a value whose kind differs from the requested one.
    mutating func mismatch(_ expected: String) -> JSONError {
        guard let kind = try? peek() else { return error(expected) }
        return error(expected, found: kind == .bool || kind == .null ? kind.rawValue : "\(kind.article) \(kind)")
    }

    private mutating func push(isArray: Bool) throws(JSONError) {
        guard levels.count < Self.maximumDepth else { throw error("nesting no deeper than \(Self.maximumDepth)") }
        levels.append(Level(isArray: isArray))
        offset += 1
    }

    private mutating func nextMember() throws(JSONError) -> Bool {
        precondition(levels.last?.isArray == false, "nextKey() outside an object")
        guard try advance(closing: UInt8(ascii: "}"), "',' or '}'", first: "a key or '}'") else { return false }
        guard nextByte() == UInt8(ascii: "\"") else { throw error("a key") }
        return true
    }

    /// Consumes the comma before the next element and returns true, or the container's end and returns false.
    private mutating func advance(closing: UInt8, _ next: String, first: String) throws(JSONError) -> Bool {
        let top = levels.count - 1
        let byte = nextByte()
        if byte == closing {
            offset += 1
            levels.removeLast()
            return false
        }
        if levels[top].isEmpty {
            levels[top].isEmpty = false
            guard byte != nil else { throw error(first) }
        } else {
            guard byte == UInt8(ascii: ",") else { throw error(next) }
            offset += 1
        }
        return true
    }

    private mutating func colon() throws(JSONError) {
        guard nextByte() == UInt8(ascii: ":") else { throw error("':'") }
        offset += 1
    }

    private mutating func literal(_ word: StaticString) throws(JSONError) {
        for index in 0..<word.utf8CodeUnitCount {
            guard offset + index < bytes.count, bytes[offset + index] == word.utf8Start[index] else {
                throw error(word.description, at: offset + index)
            }
        }
        offset += word.utf8CodeUnitCount
    }
}

extension JSONReader.Kind {
    var article: String { self == .array || self == .object ? "an" : "a" }
}
