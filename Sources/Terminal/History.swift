/// Entered messages, oldest first, and the position in them while a new message is edited.
public struct History: Sendable, Equatable {
    public private(set) var entries: [String]
    /// Maximum number of entries; the oldest are discarded first.
    public let limit: Int
    /// Index of the entry being shown; `entries.count` is the new message.
    private var position: Int
    /// Edited but not entered texts, by position; includes the new message.
    private var drafts: [Int: String] = [:]

    public init(_ entries: [String] = [], limit: Int = 1000) {
        self.limit = max(limit, 1)
        self.entries = Array(entries.suffix(self.limit))
        position = self.entries.count
    }

    /// Adds an entry unless it is empty or repeats the last one; returns whether it was added.
    public mutating func add(_ entry: String) -> Bool {
        defer { leave() }
        guard !entry.isEmpty, entry != entries.last else { return false }
        entries.append(entry)
        if entries.count > limit { entries.removeFirst(entries.count - limit) }
        return true
    }

    /// Returns to the new message and discards all drafts.
    mutating func leave() {
        position = entries.count
        drafts = [:]
    }

    /// Moves to the entry before the one shown and returns its text; nil at the oldest. Keeps `current`, the text being
    /// left, as a draft.
    mutating func older(leaving current: String) -> String? { move(to: position - 1, leaving: current) }

    /// Moves to the entry after the one shown and returns its text; nil at the new message.
    mutating func newer(leaving current: String) -> String? { move(to: position + 1, leaving: current) }

    /// Moves to an entry that a search found.
    mutating func jump(to index: Int, leaving current: String) { _ = move(to: index, leaving: current) }

    private mutating func move(to index: Int, leaving current: String) -> String? {
        guard (0...entries.count).contains(index) else { return nil }
        drafts[position] = current
        position = index
        return drafts[index] ?? (index < entries.count ? entries[index] : "")
    }

    /// Index of the first entry that contains `query`, ignoring case, searching from `start` (inclusive) backward or
    /// forward.
    func search(_ query: String, from start: Int, forward: Bool) -> Int? {
        let wanted = query.lowercased()
        let candidates =
            forward
            ? Array(max(start, 0)..<max(entries.count, max(start, 0)))
            : Array((0..<max(min(start + 1, entries.count), 0)).reversed())
        return candidates.first { entries[$0].lowercased().contains(wanted) }
    }
}

extension History {
    /// An entry, which may have several lines, as one line of a file.
    static func encoded(_ entry: String) -> String {
        var line = ""
        for scalar in entry.unicodeScalars {
            switch scalar {
            case "\\": line += "\\\\"
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            default: line.unicodeScalars.append(scalar)
            }
        }
        return line
    }

    static func decoded(_ line: Substring) -> String {
        var entry = ""
        var isEscaped = false
        for scalar in line.unicodeScalars {
            if isEscaped {
                isEscaped = false
                switch scalar {
                case "n": entry.unicodeScalars.append("\n")
                case "r": entry.unicodeScalars.append("\r")
                default: entry.unicodeScalars.append(scalar)
                }
            } else if scalar == "\\" {
                isEscaped = true
            } else {
                entry.unicodeScalars.append(scalar)
            }
        }
        return entry
    }
}
