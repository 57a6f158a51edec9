/// Lines entered before, oldest first, and the walk through them while a new one is edited.
public struct History: Sendable, Equatable {
    public private(set) var entries: [String]
    /// Most entries kept; the oldest go first.
    public let limit: Int
    /// The entry being shown; `entries.count` is the new line.
    private var position: Int
    /// What was changed on the way without being entered, by position; the new line among them.
    private var drafts: [Int: String] = [:]

    public init(_ entries: [String] = [], limit: Int = 1000) {
        self.limit = max(limit, 1)
        self.entries = Array(entries.suffix(self.limit))
        position = self.entries.count
    }

    /// Adds a line unless it repeats the last one; true if it was added.
    public mutating func add(_ entry: String) -> Bool {
        defer { leave() }
        guard !entry.isEmpty, entry != entries.last else { return false }
        entries.append(entry)
        if entries.count > limit { entries.removeFirst(entries.count - limit) }
        return true
    }

    /// Ends the walk; the next one starts at the new line.
    mutating func leave() {
        position = entries.count
        drafts = [:]
    }

    /// The entry before the one shown, whose text as it now stands is `current`; nil at the oldest.
    mutating func older(leaving current: String) -> String? { move(to: position - 1, leaving: current) }

    /// The entry after the one shown; nil at the new line.
    mutating func newer(leaving current: String) -> String? { move(to: position + 1, leaving: current) }

    /// Shows an entry found by a search.
    mutating func jump(to index: Int, leaving current: String) { _ = move(to: index, leaving: current) }

    private mutating func move(to index: Int, leaving current: String) -> String? {
        guard (0...entries.count).contains(index) else { return nil }
        drafts[position] = current
        position = index
        return drafts[index] ?? (index < entries.count ? entries[index] : "")
    }

    /// Index of the nearest entry at or before (or, searching forward, after) `start` that contains `query`, whatever its case.
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
    /// One line of a file for an entry, which may have several.
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
