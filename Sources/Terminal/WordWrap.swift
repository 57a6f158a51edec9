/// Breaks streamed text between words at a terminal's right margin, without escape codes.
///
/// Shows text immediately. A word that turns out not to fit is erased with backspaces and written again on the next
/// row. The last column stays free, since terminals differ about backspaces there. The terminal itself wraps code
/// between fences and words longer than a row, so that they can be copied without line breaks.
public struct WordWrap: Sendable {
    private let indent: Int
    private var columns = 0
    /// Number of cells used in the current row.
    private var column = 0
    /// Spaces not written yet: they are written before the next word, or discarded at a row's end.
    private var spaceCount = 0
    private var word = ""
    private var wordWidth = 0
    /// The part of the word that is not on the screen yet.
    private var fresh = ""
    /// Width of the part of the word that is on the screen.
    private var shownWidth = 0
    /// Whether the word can still move to the next row: not if the terminal has wrapped it or a resize has moved it.
    private var isMovable = true
    /// The line's first three characters that are not white space, compared with a code fence.
    private var lineHead = ""
    private var isCode = false

    /// - Parameter indent: indentation, in cells, of the rows that continue a line.
    public init(indent: Int = 0) { self.indent = indent }

    /// Wraps a whole text.
    public static func wrapped(_ text: String, columns: Int, indent: Int = 0) -> String {
        var wrap = WordWrap(indent: indent)
        return wrap.feed(text, columns: columns)
    }

    /// The text to write to show the next piece of the stream.
    public mutating func feed(_ text: String, columns: Int) -> String {
        if columns != self.columns {
            // The terminal has re-flowed its content.
            if self.columns > 0 {
                column %= max(columns, 1)
                isMovable = false
            }
            self.columns = columns
        }
        // In a window this narrow, breaking between words does not help.
        guard columns >= 16 else { return text }
        var output = ""
        for character in text { take(character, &output) }
        output += fresh
        (fresh, shownWidth) = ("", wordWidth)
        return output
    }

    private mutating func take(_ character: Character, _ output: inout String) {
        if character.isNewline {
            endWord(&output)
            output += "\n"
            (column, spaceCount, lineHead) = (0, 0, "")
            return
        }
        if !character.isWhitespace, lineHead.count < 3 {
            lineHead.append(character)
            if lineHead == "```" { isCode.toggle() }
        }
        let width = CellWidth.of(character)
        if isCode {
            endWord(&output)
            output += String(repeating: " ", count: spaceCount) + String(character)
            advance(by: spaceCount + width)
            spaceCount = 0
        } else if character == " " || character == "\t" {
            endWord(&output)
            spaceCount += character == " " ? 1 : 8 - (column + spaceCount) % 8
        } else {
            // A break is allowed before and after a wide character.
            if width > 1 { endWord(&output) }
            addToWord(character, width, &output)
            if width > 1 { endWord(&output) }
        }
    }

    private mutating func addToWord(_ character: Character, _ width: Int, _ output: inout String) {
        if word.isEmpty {
            begin(width, &output)
            isMovable = true
        } else if column + width > columns - 1, isMovable {
            if indent + wordWidth + width < columns, wordWidth < column - indent {
                for erasing in ["\u{8}", " "] { output += String(repeating: erasing, count: shownWidth) }
                breakRow(&output)
                column += wordWidth
                (fresh, shownWidth) = (word, 0)
            } else {
                isMovable = false
            }
        }
        word.append(character)
        fresh.append(character)
        wordWidth += width
        advance(by: width)
    }

    /// Begins a word whose first character has `width` cells: writes the spaces before it, or breaks the row.
    private mutating func begin(_ width: Int, _ output: inout String) {
        if column + spaceCount + width > columns - 1, column > indent {
            breakRow(&output)
        } else {
            output += String(repeating: " ", count: spaceCount)
            column += spaceCount
        }
        spaceCount = 0
    }

    private mutating func breakRow(_ output: inout String) {
        output += "\n" + String(repeating: " ", count: indent)
        column = indent
    }

    /// Advances the column, taking the terminal's own wrapping into account.
    private mutating func advance(by width: Int) {
        column += width
        if column > columns { column = max((column - 1) % columns + 1, width) }
    }

    private mutating func endWord(_ output: inout String) {
        output += fresh
        (word, fresh, wordWidth, shownWidth) = ("", "", 0, 0)
    }
}
