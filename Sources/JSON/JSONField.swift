/// A value, or a missing value, at a path of a named document. Reading it as another type throws an error with the
/// path.
///
/// ```swift
/// let config = try JSONField(parsing: bytes, name: "config.json")
/// let factor = try config["rope_scaling"]["factor"].double()
/// let top = try config["topk_group"].present?.int() ?? 1
/// // config.json: rope_scaling.factor: expected a number, found string "x"
/// ```
public struct JSONField: Sendable {
    /// The value; nil if the document does not have this key.
    public let value: JSONValue?
    private let name: String
    private let path: Path

    private indirect enum Path: Sendable {
        case root
        case key(String, Path)
        case index(Int, Path)

        var text: String {
            switch self {
            case .root: return ""
            case .key(let key, .root): return key
            case .key(let key, let parent): return parent.text + "." + key
            case .index(let index, let parent): return "\(parent.text)[\(index)]"
            }
        }
    }

    /// The root of the document called `name`.
    public init(_ value: JSONValue, name: String) {
        self.init(value: value, name: name, path: .root)
    }

    /// Parses a document.
    public init(parsing bytes: [UInt8], name: String) throws(JSONError) {
        self.init(try JSONValue(parsing: bytes, name: name), name: name)
    }

    private init(value: JSONValue?, name: String, path: Path) {
        self.value = value
        self.name = name
        self.path = path
    }

    /// The value; nil if the key is absent.
    public var content: JSONValue? { value }

    /// Nil if the key is absent or its value is null; else this field.
    public var present: JSONField? { value == nil || value == .null ? nil : self }

    /// The member `key`, which may be absent. Throws if this is not an object, or has `key` twice, which is ambiguous.
    public subscript(key: String) -> JSONField {
        get throws(JSONError) {
            guard case .object(let members) = value else { throw mismatch("an object") }
            var found: JSONField = JSONField(value: nil, name: name, path: .key(key, path))
            for member in members where member.key == key {
                guard found.value == nil else { throw found.error(expected: "one value", found: "the key twice") }
                found = JSONField(value: member.value, name: name, path: found.path)
            }
            return found
        }
    }

    public func string() throws(JSONError) -> String {
        guard case .string(let text) = value else { throw mismatch("a string") }
        return text
    }

    public func bool() throws(JSONError) -> Bool {
        guard case .bool(let value) = value else { throw mismatch("true or false") }
        return value
    }

    /// The value as a 64-bit integer. Throws for a number with a fraction or an exponent, such as 1.0.
    public func int() throws(JSONError) -> Int {
        guard case .number(let number) = value, let value = number.int else { throw mismatch("a 64-bit integer") }
        return value
    }

    /// The value as a double, rounded to nearest. Throws if the number exceeds the range of a double.
    public func double() throws(JSONError) -> Double {
        guard case .number(let number) = value else { throw mismatch("a number") }
        guard let value = number.double else { throw mismatch("a number within double precision's range") }
        return value
    }

    public func array() throws(JSONError) -> [JSONField] {
        guard case .array(let elements) = value else { throw mismatch("an array") }
        return elements.enumerated().map { JSONField(value: $1, name: name, path: .index($0, path)) }
    }

    /// The members in order, including repeated keys.
    public func object() throws(JSONError) -> [(key: String, field: JSONField)] {
        guard case .object(let members) = value else { throw mismatch("an object") }
        return members.map { ($0.key, JSONField(value: $0.value, name: name, path: .key($0.key, path))) }
    }

    /// An error at this path, for values that violate a rule of the document.
    public func error(expected: String, found: String? = nil) -> JSONError {
        JSONError(
            name: name, location: .path(path.text), expected: expected, found: found ?? value?.summary ?? "no such key")
    }

    private func mismatch(_ expected: String) -> JSONError { error(expected: expected) }
}
