/// Finds the first stop string in a text that comes in parts, and holds back only what may still become one.
///
/// What it returns does not depend on how the text is cut into parts. "First" is the one that ends first; of several that end at
/// the same place the longest counts. Each stop string is followed by its Knuth-Morris-Pratt automaton: constant time a byte.
public struct StopMatcher: Sendable {
    private var patterns: [Pattern]
    /// Bytes that are the beginning of some stop string.
    private var held: [UInt8] = []
    /// Whether a stop string was found: nothing after it counts.
    public private(set) var isStopped = false

    /// - Parameter stopStrings: none of them empty.
    public init(_ stopStrings: [String]) { patterns = stopStrings.map { Pattern(Array($0.utf8)) } }

    /// The text that can be shown now that `part` has come: what no stop string begins in. `part` holds whole characters.
    public mutating func feed(_ part: String) -> String {
        guard !isStopped else { return "" }
        guard !patterns.isEmpty else { return part }
        for byte in part.utf8 {
            held.append(byte)
            var found = 0
            for index in patterns.indices where patterns[index].advance(byte) {
                found = max(found, patterns[index].bytes.count)
            }
            if found > 0 {
                isStopped = true
                defer { held = [] }
                return String(decoding: held.dropLast(found), as: UTF8.self)
            }
        }
        // A stop string begins with a whole character, so a character is never cut here.
        let longest = patterns.map(\.matched).max() ?? 0
        defer { held.removeFirst(held.count - longest) }
        return String(decoding: held.dropLast(longest), as: UTF8.self)
    }

    /// What was held back, once no more text comes.
    public mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }

    /// One stop string, and how many of its bytes the text ends with.
    private struct Pattern: Sendable {
        let bytes: [UInt8]
        /// For each length: the longest proper prefix of that many bytes which is also their suffix.
        private let fallback: [Int]
        private(set) var matched = 0

        init(_ bytes: [UInt8]) {
            precondition(!bytes.isEmpty, "an empty stop string")
            var fallback = [0, 0]
            for length in stride(from: 2, through: bytes.count, by: 1) {
                var border = fallback[length - 1]
                while border > 0, bytes[border] != bytes[length - 1] { border = fallback[border] }
                fallback.append(bytes[border] == bytes[length - 1] ? border + 1 : 0)
            }
            self.bytes = bytes
            self.fallback = fallback
        }

        /// Whether the text with `byte` at its end ends with the whole stop string.
        mutating func advance(_ byte: UInt8) -> Bool {
            while matched > 0, bytes[matched] != byte { matched = fallback[matched] }
            if bytes[matched] == byte { matched += 1 }
            return matched == bytes.count
        }
    }
}
