/// The text being edited and the cursor, in grapheme clusters.
public struct EditBuffer: Sendable, Equatable {
    public private(set) var cells: [Cell]
    /// The cursor stands before `cells[cursor]`; `cells.count` is the end.
    public private(set) var cursor: Int

    /// A buffer with `text` and the cursor at its end.
    public init(_ text: String = "") {
        cells = Cell.cells(of: text)
        cursor = cells.count
    }

    public var text: String { text(in: 0..<cells.count) }
    public var isEmpty: Bool { cells.isEmpty }

    func text(in range: Range<Int>) -> String {
        var result = ""
        for cell in cells[range] { result.append(cell.character) }
        return result
    }

    // MARK: Changing

    /// Inserts at the cursor and moves the cursor behind the inserted text.
    public mutating func insert(_ text: String) {
        guard !text.isEmpty else { return }
        replace(cursor..<cursor, with: text)
    }

    /// Replaces cells and moves the cursor behind the new text.
    ///
    /// Segments the two neighbouring cells again together with the new text: a combining mark typed after its letter,
    /// or the second half of a flag, joins the cluster before it.
    mutating func replace(_ range: Range<Int>, with text: String) {
        let hasBefore = range.lowerBound > 0
        let hasAfter = range.upperBound < cells.count
        var joined = hasBefore ? String(cells[range.lowerBound - 1].character) : ""
        joined += text
        let after = hasAfter ? cells[range.upperBound] : nil
        if let after { joined.append(after.character) }
        let segmented = Cell.cells(of: joined)

        let start = hasBefore ? range.lowerBound - 1 : range.lowerBound
        let end = hasAfter ? range.upperBound + 1 : range.upperBound
        cells.replaceSubrange(start..<end, with: segmented)
        let afterStandsAlone = after != nil && segmented.last == after
        cursor = start + segmented.count - (afterStandsAlone ? 1 : 0)
    }

    /// Removes cells and returns their text.
    @discardableResult
    mutating func remove(_ range: Range<Int>) -> String {
        guard !range.isEmpty else { return "" }
        let removed = text(in: range)
        replace(range, with: "")
        return removed
    }

    /// Swaps the clusters before and after the cursor and moves behind them; at the end of a line, swaps the two before
    /// it.
    mutating func transpose() {
        let line = lineRange
        guard line.count > 1, cursor > line.lowerBound else { return }
        let second = cursor == line.upperBound ? cursor - 1 : cursor
        let swapped = String(cells[second].character) + String(cells[second - 1].character)
        replace((second - 1)..<(second + 1), with: swapped)
    }

    // MARK: Moving

    mutating func move(to position: Int) { cursor = min(max(position, 0), cells.count) }

    /// The logical line with the cursor, without its line break.
    var lineRange: Range<Int> {
        var start = cursor
        while start > 0, !cells[start - 1].isLineBreak { start -= 1 }
        var end = cursor
        while end < cells.count, !cells[end].isLineBreak { end += 1 }
        return start..<end
    }

    /// Start of the word before the cursor, after skipping characters that belong to no word.
    var previousWordStart: Int {
        var position = cursor
        while position > 0, !cells[position - 1].isWord { position -= 1 }
        while position > 0, cells[position - 1].isWord { position -= 1 }
        return position
    }

    /// End of the word after the cursor.
    var nextWordEnd: Int {
        var position = cursor
        while position < cells.count, !cells[position].isWord { position += 1 }
        while position < cells.count, cells[position].isWord { position += 1 }
        return position
    }

    /// Start of the run without white space before the cursor, which Ctrl-W removes.
    var previousSpaceDelimitedStart: Int {
        var position = cursor
        while position > 0, cells[position - 1].character.isWhitespace { position -= 1 }
        while position > 0, !cells[position - 1].character.isWhitespace { position -= 1 }
        return position
    }

    /// Moves to the line above, to the nearest column; returns false on the first line.
    mutating func moveUp() -> Bool {
        let line = lineRange
        guard line.lowerBound > 0 else { return false }
        let column = width(of: line.lowerBound..<cursor)
        cursor = line.lowerBound - 1
        cursor = position(atColumn: column, in: lineRange)
        return true
    }

    /// Moves to the line below, to the nearest column; returns false on the last line.
    mutating func moveDown() -> Bool {
        let line = lineRange
        guard line.upperBound < cells.count else { return false }
        let column = width(of: line.lowerBound..<cursor)
        cursor = line.upperBound + 1
        cursor = position(atColumn: column, in: lineRange)
        return true
    }

    private func width(of range: Range<Int>) -> Int { cells[range].reduce(0) { $0 + Int($1.width) } }

    private func position(atColumn column: Int, in line: Range<Int>) -> Int {
        var position = line.lowerBound
        var reached = 0
        while position < line.upperBound, reached + Int(cells[position].width) <= column {
            reached += Int(cells[position].width)
            position += 1
        }
        return position
    }
}

extension Cell {
    fileprivate var isWord: Bool { character.isLetter || character.isNumber || character == "_" }
}
