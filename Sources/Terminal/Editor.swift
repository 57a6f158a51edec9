/// Edits one message key by key: text, history, search, completion. Performs no input or output; `LineEditor` connects
/// it to a terminal.
public struct Editor: Sendable {
    /// The effect of a key.
    public enum Event: Sendable, Equatable {
        /// The view has changed and must be drawn again.
        case changed
        /// The key has no effect here; the terminal may beep.
        case refused
        case submitted(String)
        case endOfInput
        case clearScreen
        case suspend
    }

    public private(set) var buffer = EditBuffer()
    public var history: History
    /// Lines to show below the text until the next key.
    private(set) var notices: [String] = []

    private let complete: @Sendable (String) -> Completion?
    private let leaveHint: String
    private var search: Search?
    private var killed = ""
    /// The last key moved text to `killed`: the next key that does so appends to it.
    private var isKilling = false

    /// - Parameters:
    ///   - leaveHint: shown on Ctrl-C when the message is empty.
    ///   - complete: returns the completions of the text before the cursor, or nil.
    public init(
        history: History = History(), leaveHint: String = "",
        complete: @escaping @Sendable (String) -> Completion? = { _ in nil }
    ) {
        self.history = history
        self.leaveHint = leaveHint
        self.complete = complete
    }

    /// Starts a new message.
    public mutating func begin() {
        buffer = EditBuffer()
        notices = []
        search = nil
        history.leave()
    }

    public mutating func handle(_ key: Key, columns: Int = 80) -> Event {
        let hadNotices = !notices.isEmpty
        notices = []
        let event = search == nil ? edit(key, columns: columns) : continueSearch(key, columns: columns)
        // Removing a notice changes the view.
        return event == .refused && hadNotices ? .changed : event
    }

    func view(prompt: Prompt) -> EditView {
        EditView(prompt: search?.prompt ?? prompt, cells: buffer.cells, cursor: buffer.cursor, notices: notices)
    }

    // MARK: Editing

    private mutating func edit(_ key: Key, columns: Int) -> Event {
        let wasKilling = isKilling
        isKilling = false
        switch key {
        case .text(let text), .paste(let text): buffer.insert(text)
        case .lineBreak: buffer.insert("\n")
        case .enter: return enter()
        case .tab: return completion(columns: columns)
        case .backspace, .control("h"): return remove((buffer.cursor - 1)..<buffer.cursor)
        case .delete: return remove(buffer.cursor..<(buffer.cursor + 1))
        case .control("d"):
            if buffer.isEmpty { return .endOfInput }
            return remove(buffer.cursor..<(buffer.cursor + 1))
        case .control("k"):
            // At the end of a line, removes the line break.
            let end = buffer.lineRange.upperBound
            let target = end == buffer.cursor ? min(end + 1, buffer.cells.count) : end
            return kill(buffer.cursor..<target, joining: wasKilling)
        case .control("u"):
            let start = buffer.lineRange.lowerBound
            let target = start == buffer.cursor ? max(start - 1, 0) : start
            return kill(target..<buffer.cursor, joining: wasKilling)
        case .control("w"):
            return kill(buffer.previousSpaceDelimitedStart..<buffer.cursor, joining: wasKilling)
        case .wordBackspace: return kill(buffer.previousWordStart..<buffer.cursor, joining: wasKilling)
        case .alt("d"), .alt("D"): return kill(buffer.cursor..<buffer.nextWordEnd, joining: wasKilling)
        case .control("y"):
            guard !killed.isEmpty else { return .refused }
            buffer.insert(killed)
        case .control("t"): buffer.transpose()
        case .control("c"):
            if buffer.isEmpty {
                notices = leaveHint.isEmpty ? [] : [leaveHint]
            } else {
                begin()
            }
        case .control("r"), .control("s"):
            search = Search(saved: buffer)
        case .control("l"): return .clearScreen
        case .control("z"): return .suspend
        case .control("p"): return older()
        case .control("n"): return newer()
        default: return move(key)
        }
        return .changed
    }

    private mutating func move(_ key: Key) -> Event {
        let line = buffer.lineRange
        switch key {
        case .left, .control("b"): buffer.move(to: buffer.cursor - 1)
        case .right, .control("f"): buffer.move(to: buffer.cursor + 1)
        case .wordLeft: buffer.move(to: buffer.previousWordStart)
        case .wordRight: buffer.move(to: buffer.nextWordEnd)
        case .home, .control("a"): buffer.move(to: line.lowerBound)
        case .end, .control("e"): buffer.move(to: line.upperBound)
        case .alt("<"): buffer.move(to: 0)
        case .alt(">"): buffer.move(to: buffer.cells.count)
        case .up: return buffer.moveUp() ? .changed : older()
        case .down: return buffer.moveDown() ? .changed : newer()
        default: return .refused
        }
        return .changed
    }

    private mutating func enter() -> Event {
        // A backslash at the end of the message continues it on another line.
        if buffer.cursor == buffer.cells.count, buffer.cells.last?.character == "\\" {
            buffer.replace((buffer.cursor - 1)..<buffer.cursor, with: "\n")
            return .changed
        }
        return .submitted(buffer.text)
    }

    private mutating func remove(_ range: Range<Int>) -> Event {
        guard range.lowerBound >= 0, range.upperBound <= buffer.cells.count else { return .refused }
        buffer.remove(range)
        return .changed
    }

    private mutating func kill(_ range: Range<Int>, joining: Bool) -> Event {
        isKilling = true
        guard !range.isEmpty else { return .refused }
        let isBackward = range.upperBound == buffer.cursor
        let text = buffer.remove(range)
        killed = joining ? (isBackward ? text + killed : killed + text) : text
        return .changed
    }

    // MARK: History

    private mutating func older() -> Event {
        guard let entry = history.older(leaving: buffer.text) else { return .refused }
        buffer = EditBuffer(entry)
        return .changed
    }

    private mutating func newer() -> Event {
        guard let entry = history.newer(leaving: buffer.text) else { return .refused }
        buffer = EditBuffer(entry)
        return .changed
    }

    private mutating func continueSearch(_ key: Key, columns: Int) -> Event {
        guard var search else { return .refused }
        switch key {
        case .text(let text), .paste(let text):
            search.query += text
            search.find(in: history, from: search.match ?? history.entries.count - 1, forward: false)
        case .backspace:
            search.query = String(search.query.dropLast())
            search.find(in: history, from: history.entries.count - 1, forward: false)
        case .control("r"): search.find(in: history, from: (search.match ?? history.entries.count) - 1, forward: false)
        case .control("s"): search.find(in: history, from: (search.match ?? -1) + 1, forward: true)
        case .control("g"), .control("c"):
            buffer = search.saved
            self.search = nil
            return .changed
        default:
            // Any other key accepts the match, then has its usual effect.
            if let match = search.match {
                let found = buffer
                history.jump(to: match, leaving: search.saved.text)
                buffer = found
            }
            self.search = nil
            return key == .escape ? .changed : edit(key, columns: columns)
        }
        if !search.hasFailed { buffer = search.shown(in: history) }
        self.search = search
        return .changed
    }

    // MARK: Completion

    private mutating func completion(columns: Int) -> Event {
        guard let found = complete(buffer.text(in: 0..<buffer.cursor)), !found.candidates.isEmpty else {
            return .refused
        }
        let start = max(buffer.cursor - found.replacedCount, 0)
        let common = found.commonPrefix
        if common.count > found.replacedCount || found.candidates.count == 1 {
            buffer.replace(start..<buffer.cursor, with: common)
        }
        if found.candidates.count > 1 { notices = found.listing(columns: columns) }
        return .changed
    }
}

extension Editor {
    /// A search through the history, begun by Ctrl-R.
    private struct Search: Sendable {
        /// The buffer before the search.
        let saved: EditBuffer
        var query = ""
        var match: Int?
        var hasFailed = false

        var prompt: Prompt { Prompt("(\(hasFailed ? "not found" : "search"): \(query)) ") }

        mutating func find(in history: History, from start: Int, forward: Bool) {
            guard !query.isEmpty else {
                match = nil
                hasFailed = false
                return
            }
            let found = history.search(query, from: start, forward: forward)
            hasFailed = found == nil
            // A failed search keeps the last match.
            if let found { match = found }
        }

        /// The matching entry, with the cursor at the match.
        func shown(in history: History) -> EditBuffer {
            guard let match else { return saved }
            let entry = history.entries[match]
            var buffer = EditBuffer(entry)
            if let place = entry.lowercased().firstRange(of: query.lowercased()) {
                buffer.move(to: entry.lowercased().distance(from: entry.lowercased().startIndex, to: place.lowerBound))
            }
            return buffer
        }
    }
}
