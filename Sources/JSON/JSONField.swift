/// A value, or its absence, at a path of a named document: reading it as the wrong kind is an error that names the path.
///
/// ```swift
/// let config = try JSONField(parsing: bytes, name: "config.json")
/// let factor = try config["rope_scaling"]["factor"].double()
/// let top = try config["topk_group"].present?.int() ?? 1
/// // config.json: rope_scaling.factor: expected a number, found string "x"
/// ```
public struct JSONField: Sendable {
    /// Nil where the document has no such key.
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

    /// Keys and indices from the root, as errors show them.
    public var pathText: String { path.text }

    /// The value itself; nil where the key is absent.
    public var content: JSONValue? { value }

    /// Nil where the key is absent or its value null.
    public var present: JSONField? { value == nil || value == .null ? nil : self }

    /// The member `key`, absent or not. An error if this is not an object, or holds `key` twice: it would be unclear
    /// which one counts.
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

    /// An integer, written as one, within 64 bits.
    public func int() throws(JSONError) -> Int {
        guard case .number(let number) = value, let value = number.int else { throw mismatch("a 64-bit integer") }
        return value
    }

    /// A number, whether or not it is written as an integer.
    public func double() throws(JSONError) -> Double {
        guard case .number(let number) = value else { throw mismatch("a number") }
        guard let value = number.double else { throw mismatch("a number within double precision's range") }
        return value
    }

    public func array() throws(JSONError) -> [JSONField] {
        guard case .array(let elements) = value else { throw mismatch("an array") }
        return elements.enumerated().map { JSONField(value: $1, name: name, path: .index($0, path)) }
    }

    /// The members in order, repeated keys included.
    public func object() throws(JSONError) -> [(key: String, field: JSONField)] {
        guard case .object(let members) = value else { throw mismatch("an object") }
        return members.map { ($0.key, JSONField(value: $0.value, name: name, path: .key($0.key, path))) }
    }

    /// An error at this path, for what the document's own rules forbid.
    public func error(expected: String, found: String? = nil) -> JSONError {
        JSONError(
            name: name, location: .path(path.text), expected: expected, found: found ?? value?.summary ?? "no such key")
    }

    private func mismatch(_ expected: String) -> JSONError { error(expected: expected) }
}
