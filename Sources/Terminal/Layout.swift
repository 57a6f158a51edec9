/// The position of each cell of an edited text on a screen of a given width.
///
/// Rows break at line breaks and at the right margin; a character of two cells is not split at the margin.
struct Layout: Sendable, Equatable {
    struct Row: Sendable, Equatable {
        /// Cells shown in the row; a line break belongs to no row.
        var cells: Range<Int>
        /// Column of the first cell: the indentation on the first row and after a line break, else 0.
        var startColumn: Int
        /// Column behind the last cell.
        var endColumn: Int
        /// The line continues in the next row, and the terminal wraps it there without a line break.
        var wrapsByItself = false
    }

    var rows: [Row] = []
    var cursorRow = 0
    var cursorColumn = 0
    let columns: Int

    /// - Parameter indent: width of the prompt, and indentation of the lines after a line break.
    init(cells: [Cell], cursor: Int, indent: Int, columns: Int) {
        self.columns = columns
        var row = Row(cells: 0..<0, startColumn: indent, endColumn: indent)

        for (index, cell) in cells.enumerated() {
            let width = Int(cell.width)
            if !cell.isLineBreak, row.endColumn + width > columns, row.endColumn > 0 {
                let isFull = row.endColumn == columns && (index == 0 || cells[index - 1].isCertain)
                let isOneShort = row.endColumn == columns - 1 && width == 2 && cell.isCertain && !cell.isEscaped
                row.wrapsByItself = isFull || isOneShort
                rows.append(row)
                row = Row(cells: index..<index, startColumn: 0, endColumn: 0)
            }
            if index == cursor {
                cursorRow = rows.count
                // At a line break behind a full row, the cursor stands on the last column.
                cursorColumn = min(row.endColumn, columns - 1)
            }
            if cell.isLineBreak {
                rows.append(row)
                row = Row(cells: (index + 1)..<(index + 1), startColumn: indent, endColumn: indent)
            } else {
                row.cells = row.cells.lowerBound..<(index + 1)
                row.endColumn += width
            }
        }
        if cursor >= cells.count {
            if row.endColumn >= columns {
                // Behind a full last row, the cursor gets a separate row.
                row.wrapsByItself = cells.last?.isCertain ?? true
                rows.append(row)
                row = Row(cells: cells.count..<cells.count, startColumn: 0, endColumn: 0)
            }
            cursorRow = rows.count
            cursorColumn = row.endColumn
        }
        rows.append(row)
    }
}

extension Cell {
    /// Whether the cell shows an escaped form of its character (such as `^A`), of several narrow characters.
    var isEscaped: Bool { visibleForm(of: character) != nil }
}
