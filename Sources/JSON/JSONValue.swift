/// A JSON value. Objects keep the order of their members and repeated keys; numbers keep their digits as written.
public enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object([JSONMember])

    /// Parses one JSON text (see `JSONReader` for the grammar). Errors contain `name`, usually the file's name.
    public init(parsing bytes: [UInt8], name: String = "") throws(JSONError) {
        self = try JSONReader.read(bytes, name: name) { (reader) throws(JSONError) in try reader.readValue() }
    }

    public init(parsing bytes: UnsafeRawBufferPointer, name: String = "") throws(JSONError) {
        var reader = JSONReader(bytes, name: name)
        self = try reader.readValue()
        try reader.finish()
    }

    public init(parsing text: String, name: String = "") throws(JSONError) {
        try self.init(parsing: Array(text.utf8), name: name)
    }
}

/// One member of an object.
public struct JSONMember: Equatable, Sendable {
    public var key: String
    public var value: JSONValue

    public init(_ key: String, _ value: JSONValue) {
        self.key = key
        self.value = value
    }
}

/// A number with its digits as written. Two numbers are equal only if their texts are.
public struct JSONNumber: Equatable, Sendable {
    public let text: String

    /// `text` must follow JSON's grammar for numbers.
    init(checked text: String) { self.text = text }

    public init(_ value: some BinaryInteger) { text = String(value) }

    /// The shortest digits that read back as `value`; nil if it is not finite, since JSON has no infinities and no NaN.
    public init?<Value: BinaryFloatingPoint & LosslessStringConvertible>(_ value: Value) {
        guard value.isFinite else { return nil }
        text = value.description
    }

    /// The number as a 64-bit integer; nil if it is out of range or written with a fraction or an exponent.
    public var int: Int? { text == "-0" ? 0 : Int(text) }

    /// The nearest double; nil if the number exceeds the range of a double.
    public var double: Double? {
        guard let value = Double(text), value.isFinite else { return nil }
        return value
    }
}

extension JSONReader {
    /// Reads the next value, of any kind.
    public mutating func readValue() throws(JSONError) -> JSONValue {
        switch try peek() {
        case .null:
            try readNull()
            return .null
        case .bool: return .bool(try readBool())
        case .number: return .number(try readNumber())
        case .string: return .string(try readString())
        case .array:
            var elements: [JSONValue] = []
            try beginArray()
            while try nextElement() { elements.append(try readValue()) }
            return .array(elements)
        case .object:
            var members: [JSONMember] = []
            try beginObject()
            while let key = try nextKey() { members.append(JSONMember(key, try readValue())) }
            return .object(members)
        }
    }
}

extension JSONValue {
    /// An integer.
    public init(_ value: some BinaryInteger) { self = .number(JSONNumber(value)) }

    /// A number in the shortest digits that read back the same; null if it is not finite.
    public init<Value: BinaryFloatingPoint & LosslessStringConvertible>(_ value: Value) {
        self = JSONNumber(value).map(JSONValue.number) ?? .null
    }

    public init(_ value: String) { self = .string(value) }
    public init(_ value: Bool) { self = .bool(value) }

    /// A short description for errors: the kind, and the value itself if it is short.
    var summary: String {
        switch self {
        case .null: return "null"
        case .bool(let value): return "\(value)"
        case .number(let number): return "number \(number.text.prefix(40))"
        case .string(let text):
            return "string \(JSONValue.string(text.count > 40 ? text.prefix(40) + "…" : text).serialized())"
        case .array(let elements): return "an array of \(elements.count)"
        case .object(let members): return "an object of \(members.count)"
        }
    }
}

extension JSONValue: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self.init(value) }
    public init(floatLiteral value: Double) { self.init(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(nilLiteral: ()) { self = .null }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { JSONMember($0.0, $0.1) })
    }
}
