/// The text before the edited message. The message's other lines are indented by its width.
public struct Prompt: Sendable, Equatable {
    /// The text with the escape codes of its style.
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

/// The content of the screen while a message is edited.
struct EditView: Sendable, Equatable {
    var prompt: Prompt
    var cells: [Cell]
    var cursor: Int
    /// Lines below the text: completions, a hint.
    var notices: [String] = []
}
