import Terminal

/// Emulates a terminal's screen: line wrapping and the escape sequences that the line editor writes.
///
/// Its height is unlimited: rows are added below, and nothing scrolls away.
public struct TestScreen {
    public let columns: Int
    public private(set) var row = 0
    public private(set) var column = 0
    private var rows: [[String]] = [[]]
    /// The cursor is behind a character in the last column; the next character wraps.
    private var hangs = false

    public init(columns: Int) { self.columns = columns }

    /// A screen that shows `text`.
    public init(columns: Int, showing text: String) {
        self.init(columns: columns)
        write(text)
    }

    /// The text of each row.
    public var lines: [String] { rows.map { $0.joined() } }

    public mutating func write(_ text: String) {
        var rest = Substring(text)
        while let character = rest.first {
            rest = rest.dropFirst()
            switch character {
            case "\u{7}": break
            case "\u{8}": (column, hangs) = (max(column - 1, 0), false)
            case "\r": (column, hangs) = (0, false)
            case "\n": lineFeed()
            case "\r\n":
                lineFeed()
                column = 0
            case "\u{1B}": sequence(&rest)
            default: put(character)
            }
        }
    }

    private mutating func lineFeed() {
        hangs = false
        row += 1
        while rows.count <= row { rows.append([]) }
    }

    private mutating func put(_ character: Character) {
        let width = CellWidth.of(character)
        if hangs || column + width > columns {
            lineFeed()
            column = 0
        }
        while rows[row].count < column + width { rows[row].append(" ") }
        rows[row][column] = String(character)
        if width == 2 { rows[row][column + 1] = "" }
        column += width
        if column == columns { (column, hangs) = (columns - 1, true) }
    }

    /// Executes `ESC [ parameters final`; ignores an unfinished sequence at the end.
    private mutating func sequence(_ rest: inout Substring) {
        rest = rest.dropFirst()
        let parameters = rest.prefix { $0.isNumber || $0 == ";" || $0 == "?" }
        rest = rest.dropFirst(parameters.count)
        guard let final = rest.popFirst() else { return }
        let number = Int(parameters) ?? 1
        switch final {
        case "A": row = max(row - number, 0)
        case "C": column = min(column + number, columns - 1)
        case "G": column = min(number - 1, columns - 1)
        case "H": (row, column) = (0, 0)
        case "K": clearRow()
        case "J" where parameters == "2": rows = Array(repeating: [], count: rows.count)
        case "J":
            clearRow()
            rows.removeSubrange((row + 1)...)
        default: break
        }
        if "ACGH".contains(final) { hangs = false }
    }

    private mutating func clearRow() { rows[row].removeSubrange(min(column, rows[row].count)...) }
}
