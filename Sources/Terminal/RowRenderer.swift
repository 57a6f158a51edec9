/// Draws the edited text in one row, with carriage returns and spaces only: for `NO_COLOR` and `TERM=dumb`, where
/// escape codes are not allowed. Long text scrolls sideways; line breaks appear as `↵`.
struct RowRenderer: Sendable {
    private var drawnWidth = 0
    private var firstCell = 0
    private var notices: [String] = []

    mutating func draw(_ view: EditView, size: ScreenSize) -> String {
        var output = "\r"
        // Notices are written once, above the row, and stay.
        if view.notices != notices {
            notices = view.notices
            if !notices.isEmpty {
                output += String(repeating: " ", count: drawnWidth) + "\r"
                for notice in notices { output += clipped(notice, columns: size.columns - 1) + "\r\n" }
                drawnWidth = 0
            }
        }
        let prompt = clipped(view.prompt.plain, columns: max(size.columns - 6, 0))
        let promptWidth = CellWidth.of(prompt)
        // Leaves the last column free: a character there would wrap.
        let room = max(size.columns - promptWidth - 1, 2)
        let visible = window(of: view, room: room)

        var beforeCursor = prompt
        var afterCursor = ""
        var width = promptWidth
        for index in visible {
            if index < view.cursor {
                beforeCursor += shown(view.cells[index])
            } else {
                afterCursor += shown(view.cells[index])
            }
            width += self.width(view.cells[index])
        }
        output += beforeCursor + afterCursor
        output += String(repeating: " ", count: max(drawnWidth - width, 0))
        // Moves the cursor back without an escape code: a return, then the part before the cursor again.
        output += "\r" + beforeCursor
        drawnWidth = width
        return output
    }

    /// Ends the edit: replaces the row by the whole text, over as many rows as it needs.
    mutating func finish(_ view: EditView) -> String {
        var output = "\r" + String(repeating: " ", count: drawnWidth) + "\r" + view.prompt.plain
        let indent = String(repeating: " ", count: view.prompt.width)
        for cell in view.cells { output += cell.isLineBreak ? "\r\n" + indent : cell.shown }
        self = RowRenderer()
        return output + "\r\n"
    }

    /// The range of cells that fits in `room` and includes the cursor, scrolled as little as possible.
    private mutating func window(of view: EditView, room: Int) -> Range<Int> {
        firstCell = min(firstCell, view.cursor)
        var used = 0
        var first = view.cursor
        while first > firstCell, used + width(view.cells[first - 1]) <= room {
            first -= 1
            used += width(view.cells[first])
        }
        firstCell = first
        var end = view.cursor
        while end < view.cells.count, used + width(view.cells[end]) <= room {
            used += width(view.cells[end])
            end += 1
        }
        return first..<end
    }

    private func shown(_ cell: Cell) -> String { cell.isLineBreak ? "↵" : cell.shown }
    private func width(_ cell: Cell) -> Int { cell.isLineBreak ? 1 : Int(cell.width) }
}
