/// Draws the edited text over as many rows as it needs, and redraws it in place.
///
/// A pure machine: it remembers where it left the cursor and returns what to write. Within a long line it lets the
/// terminal wrap by itself, so that selecting with the mouse gives the unbroken text and a resize re-flows it.
struct FrameRenderer: Sendable {
    /// Rows between the top of what was drawn and the cursor.
    private var rowsAboveCursor = 0
    /// First row of the layout on the screen, when it does not fit as a whole.
    private var firstRow = 0
    private var isClipped = false
    private var drawn: EditView?
    private var size: ScreenSize?

    /// What to write to show `view`.
    mutating func draw(_ view: EditView, size newSize: ScreenSize) -> String {
        let columns = max(newSize.columns, 8)
        var output = moveToTop(columns: columns, newSize: newSize)
        let (prompt, indent) = fitted(view.prompt, columns: columns)
        let layout = Layout(cells: view.cells, cursor: view.cursor, indent: indent, columns: columns)
        let notices = view.notices.prefix(max(newSize.rows - 2, 0))
        let visible = window(of: layout, height: max(newSize.rows - notices.count, 1))

        for index in visible {
            let row = layout.rows[index]
            if index == 0 {
                output += prompt
            } else if row.startColumn > 0 {
                output += String(repeating: " ", count: row.startColumn)
            }
            write(row, of: view.cells, into: &output)
            // Clears what an earlier drawing left; on a full row there is nothing, and the cursor hangs over the margin.
            if row.endColumn < columns { output += "\u{1B}[K" }
            guard index + 1 < visible.upperBound else { continue }
            if !row.wrapsByItself {
                output += "\r\n"
            } else if layout.rows[index + 1].cells.isEmpty {
                // The empty row for a cursor behind a full one: a space makes the terminal wrap.
                output += " \r"
            }
        }
        // One column short: clearing behind a full row would take its last character.
        for notice in notices { output += "\r\n" + clipped(notice, columns: columns - 1) + "\u{1B}[K" }
        output += "\u{1B}[J"

        let drawnRows = visible.count + notices.count
        let cursorRow = layout.cursorRow - visible.lowerBound
        if drawnRows - 1 > cursorRow { output += "\u{1B}[\(drawnRows - 1 - cursorRow)A" }
        output += "\r"
        if layout.cursorColumn > 0 { output += "\u{1B}[\(layout.cursorColumn)C" }

        rowsAboveCursor = cursorRow
        isClipped = visible.count < layout.rows.count
        drawn = view
        size = newSize
        return output
    }

    /// Ends the edit: the text stays on the screen without notices, and the cursor goes to a new row below.
    mutating func finish(_ view: EditView, size: ScreenSize) -> String {
        var last = view
        last.notices = []
        last.cursor = view.cells.count
        let output = draw(last, size: size) + "\r\n"
        forget()
        return output
    }

    /// The cursor is at the start of an empty row, and nothing of ours is on the screen.
    mutating func forget() { self = FrameRenderer() }

    /// Moves to where the drawing began, wherever a change of the window's width has put it.
    private func moveToTop(columns: Int, newSize: ScreenSize) -> String {
        guard let drawn, let size else { return "\r" }
        if size == newSize { return (rowsAboveCursor > 0 ? "\u{1B}[\(rowsAboveCursor)A" : "") + "\r" }
        // Part of the text is off the screen: start over with an empty one.
        if isClipped { return "\u{1B}[H\u{1B}[2J" }
        // Terminals re-flow what was written, which is what the layout at the new width says.
        let (_, indent) = fitted(drawn.prompt, columns: columns)
        let reflowed = Layout(cells: drawn.cells, cursor: drawn.cursor, indent: indent, columns: columns)
        let above = min(reflowed.cursorRow, max(newSize.rows - 1, 0))
        return (above > 0 ? "\u{1B}[\(above)A" : "") + "\r"
    }

    /// The rows to show: all, or as many as fit around the cursor, scrolled as little as possible.
    private mutating func window(of layout: Layout, height: Int) -> Range<Int> {
        guard layout.rows.count > height else {
            firstRow = 0
            return 0..<layout.rows.count
        }
        firstRow = min(firstRow, layout.rows.count - height, layout.cursorRow)
        firstRow = max(firstRow, layout.cursorRow - height + 1)
        return firstRow..<(firstRow + height)
    }

    private func write(_ row: Layout.Row, of cells: [Cell], into output: inout String) {
        var column = row.startColumn
        for cell in cells[row.cells] {
            column += Int(cell.width)
            if cell.isCertain {
                output += cell.shown
            } else {
                // Terminals disagree about this one's width: clear what it may not cover, and go to the column that the
                // layout says.
                output += "\u{1B}[K" + cell.shown + "\u{1B}[\(column + 1)G"
            }
        }
    }

    /// The prompt, cut where the window is so narrow that it would leave no room.
    private func fitted(_ prompt: Prompt, columns: Int) -> (rendered: String, width: Int) {
        let limit = max(columns - 4, 0)
        if prompt.width <= limit { return (prompt.rendered, prompt.width) }
        let cut = clipped(prompt.plain, columns: limit)
        return (cut, CellWidth.of(cut))
    }
}

/// As much of a text as fits in so many cells.
func clipped(_ text: String, columns: Int) -> String {
    var result = ""
    var used = 0
    for cell in Cell.cells(of: text) {
        guard used + Int(cell.width) <= columns else { break }
        used += Int(cell.width)
        result += cell.shown
    }
    return result
}
