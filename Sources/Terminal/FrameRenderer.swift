/// Draws the edited text over as many rows as it needs, and redraws it in place.
///
/// Performs no output: it remembers where it left the cursor and returns the text to write. Long lines are wrapped by
/// the terminal, so that a mouse selection contains no line breaks and a resize re-flows them.
struct FrameRenderer: Sendable {
    /// Rows between the top of the drawing and the cursor.
    private var rowsAboveCursor = 0
    /// First visible row of a layout that does not fit on the screen.
    private var firstRow = 0
    private var isClipped = false
    private var drawn: EditView?
    private var size: ScreenSize?

    /// The text to write to show `view`.
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
            // Clears the rest of the previous drawing. A full row has no rest, and its cursor stands at the margin.
            if row.endColumn < columns { output += "\u{1B}[K" }
            guard index + 1 < visible.upperBound else { continue }
            if !row.wrapsByItself {
                output += "\r\n"
            } else if layout.rows[index + 1].cells.isEmpty {
                // The next row is empty and holds only the cursor behind a full row: a space makes the terminal wrap.
                output += " \r"
            }
        }
        // Leaves the last column free: clearing behind a full row would erase its last character.
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

    /// Ends the edit: keeps the text on the screen, removes the notices and moves the cursor to a new row below.
    mutating func finish(_ view: EditView, size: ScreenSize) -> String {
        var last = view
        last.notices = []
        last.cursor = view.cells.count
        let output = draw(last, size: size) + "\r\n"
        forget()
        return output
    }

    /// Resets the state. The caller has put the cursor at the start of an empty row.
    mutating func forget() { self = FrameRenderer() }

    /// Moves to the start of the drawing, also after a change of the window's width.
    private func moveToTop(columns: Int, newSize: ScreenSize) -> String {
        guard let drawn, let size else { return "\r" }
        if size == newSize { return (rowsAboveCursor > 0 ? "\u{1B}[\(rowsAboveCursor)A" : "") + "\r" }
        // Part of the text is off the screen: clears the screen and starts over.
        if isClipped { return "\u{1B}[H\u{1B}[2J" }
        // Terminals re-flow the written text, which then matches the layout at the new width.
        let (_, indent) = fitted(drawn.prompt, columns: columns)
        let reflowed = Layout(cells: drawn.cells, cursor: drawn.cursor, indent: indent, columns: columns)
        let above = min(reflowed.cursorRow, max(newSize.rows - 1, 0))
        return (above > 0 ? "\u{1B}[\(above)A" : "") + "\r"
    }

    /// The rows to show: all if they fit, else `height` rows that include the cursor, scrolled as little as possible.
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
                // Terminals disagree about this cell's width: clears the rest of the row, then moves to the column of
                // the layout.
                output += "\u{1B}[K" + cell.shown + "\u{1B}[\(column + 1)G"
            }
        }
    }

    /// The prompt, clipped in a narrow window to leave at least four cells.
    private func fitted(_ prompt: Prompt, columns: Int) -> (rendered: String, width: Int) {
        let limit = max(columns - 4, 0)
        if prompt.width <= limit { return (prompt.rendered, prompt.width) }
        let cut = clipped(prompt.plain, columns: limit)
        return (cut, CellWidth.of(cut))
    }
}

/// The longest prefix of `text` that fits in `columns` cells, in its shown form.
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
