/// Where each cell of an edited text stands on a screen of some width.
///
/// Rows break at line breaks and at the right margin; a two-cell character never straddles the margin.
struct Layout: Sendable, Equatable {
    struct Row: Sendable, Equatable {
        /// Cells shown in the row; a line break belongs to none.
        var cells: Range<Int>
        /// Column of the first cell: behind the prompt on the first row and on rows after a line break, else 0.
        var startColumn: Int
        /// Column behind the last cell.
        var endColumn: Int
        /// The row goes on in the next one, and the terminal itself will wrap there.
        var wrapsByItself = false
    }

    var rows: [Row] = []
    var cursorRow = 0
    var cursorColumn = 0
    let columns: Int

    /// - Parameter indent: width of the prompt, and of what stands before each further line.
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
                // Before a line break behind a full row the cursor stands on the last column.
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
                // The cursor behind a full last row stands on a row of its own.
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
    /// Shown in another form than it is stored, as several narrow characters.
    var isEscaped: Bool { visibleForm(of: character) != nil }
}
