/// Breaks text between words at a terminal's right margin while it streams, without escape codes.
///
/// What comes is shown at once: a word that turns out not to fit is taken back with backspaces and begun again on the next
/// row. The last column stays free, since terminals differ about backspaces there. Code between fences, and words longer
/// than a row, are left to the terminal, so that they can be copied whole.
public struct WordWrap: Sendable {
    private let indent: Int
    private var columns = 0
    /// Cells used of the current row.
    private var column = 0
    /// Spaces held back until a word follows them: none stand at a row's end.
    private var spaceCount = 0
    private var word = ""
    private var wordWidth = 0
    /// The part of the word that is not on the screen yet, and the cells of the part that is.
    private var fresh = ""
    private var shownWidth = 0
    /// False once the terminal has wrapped the word or a resize has moved it.
    private var isMovable = true
    /// The first characters of the line that are no spaces, as many as a fence has.
    private var lineHead = ""
    private var isCode = false

    /// - Parameter indent: of the rows that continue a line.
    public init(indent: Int = 0) { self.indent = indent }

    /// A whole text, broken.
    public static func wrapped(_ text: String, columns: Int, indent: Int = 0) -> String {
        var wrap = WordWrap(indent: indent)
        return wrap.feed(text, columns: columns)
    }

    /// What to write to show this further piece of the text.
    public mutating func feed(_ text: String, columns: Int) -> String {
        if columns != self.columns {
            // The terminal has re-flowed what it shows.
            if self.columns > 0 {
                column %= max(columns, 1)
                isMovable = false
            }
            self.columns = columns
        }
        // So narrow that breaking helps no one.
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
            // Before and after a wide character there may always be a break.
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

    /// Makes room for the first cell of a word.
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

    /// Counts cells that the terminal wraps by itself.
    private mutating func advance(by width: Int) {
        column += width
        if column > columns { column = max((column - 1) % columns + 1, width) }
    }

    private mutating func endWord(_ output: inout String) {
        output += fresh
        (word, fresh, wordWidth, shownWidth) = ("", "", 0, 0)
    }
}
