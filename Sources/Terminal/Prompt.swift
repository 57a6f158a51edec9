/// What stands before the edited text. Further lines of the same message are indented by as much.
public struct Prompt: Sendable, Equatable {
    /// As written, escape codes of its style included.
    let rendered: String
    let plain: String
    let width: Int

    public init(_ text: String, style: Style = .plain) {
        plain = text
        rendered = style.applied(to: text)
        width = CellWidth.of(text)
    }
}

/// Size of a terminal in character cells.
public struct ScreenSize: Sendable, Equatable {
    public var columns: Int
    public var rows: Int

    public init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
    }
}

/// What is on the screen while a line is edited.
struct EditView: Sendable, Equatable {
    var prompt: Prompt
    var cells: [Cell]
    var cursor: Int
    /// Lines below the text: completions, a hint.
    var notices: [String] = []
}
