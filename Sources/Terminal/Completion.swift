import Glibc

/// Candidates for completing the text before the cursor.
public struct Completion: Sendable, Equatable {
    /// Number of characters before the cursor that a candidate replaces.
    public var replacedCount: Int
    public var candidates: [Candidate]

    public init(replacedCount: Int, candidates: [Candidate]) {
        self.replacedCount = replacedCount
        self.candidates = candidates
    }

    public struct Candidate: Sendable, Equatable {
        /// The inserted text.
        public var text: String
        /// The text in the list of candidates, shown if there are several.
        public var label: String

        public init(text: String, label: String) {
            self.text = text
            self.label = label
        }
    }

    /// The longest common prefix of all candidates.
    var commonPrefix: String {
        guard var common = candidates.first.map({ Array($0.text) }) else { return "" }
        for candidate in candidates.dropFirst() {
            common = Array(zip(common, candidate.text).prefix { $0 == $1 }.map(\.0))
        }
        return String(common)
    }

    /// The labels as rows of a table that is at most `columns` cells wide.
    func listing(columns: Int) -> [String] {
        let widths = candidates.map { CellWidth.of($0.label) }
        let column = (widths.max() ?? 0) + 2
        let perRow = max((columns - 1) / column, 1)
        var rows: [String] = []
        for start in stride(from: 0, to: candidates.count, by: perRow) {
            var row = ""
            for index in start..<min(start + perRow, candidates.count) {
                row += candidates[index].label
                if index + 1 < min(start + perRow, candidates.count) {
                    row += String(repeating: " ", count: column - widths[index])
                }
            }
            rows.append(row)
        }
        return rows
    }

    /// Files and folders whose paths begin with `path`; a leading `~/` stands for the home folder.
    public static func paths(_ path: String) -> Completion {
        let cut = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        let folder = String(path[..<cut])
        let start = String(path[cut...])
        var candidates: [Candidate] = []
        if let stream = opendir(folder.isEmpty ? "." : expandingHome(folder)) {
            defer { closedir(stream) }
            while let entry = readdir(stream) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                guard name != ".", name != "..", name.hasPrefix(start) else { continue }
                // Lists hidden files only if the name starts with a dot.
                guard !name.hasPrefix(".") || start.hasPrefix(".") else { continue }
                var status = stat()
                let isFolder =
                    stat(expandingHome(folder + name), &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
                let text = isFolder ? name + "/" : name
                candidates.append(Candidate(text: text, label: text))
            }
        }
        candidates.sort { $0.text < $1.text }
        return Completion(replacedCount: start.count, candidates: candidates)
    }
}

/// The path with a leading `~/` replaced by the home folder.
public func expandingHome(_ path: String) -> String {
    guard path == "~" || path.hasPrefix("~/"), let home = environmentValue("HOME") else { return path }
    return home + path.dropFirst()
}
