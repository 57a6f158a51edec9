/// A line that says what is under way and is taken away again, on a row of its own; also without escape codes.
public struct StatusLine: Sendable {
    private let output: Output
    private let style: Style
    private let usesEscapeCodes: Bool
    public private(set) var isShown = false

    public init(output: Output, style: Style = .plain, usesEscapeCodes: Bool) {
        self.output = output
        self.style = style
        self.usesEscapeCodes = usesEscapeCodes
    }

    /// Shows the text, as much of it as fits, in place of what was shown before.
    public mutating func show(_ text: String) throws(TerminalError) {
        // The last column stays free: a character there might wrap.
        let room = screenSize(output.descriptor).columns - 1
        try output.write((isShown ? erasing(room) : "") + style.applied(to: clipped(text, columns: room)))
        isShown = true
    }

    /// Leaves the row empty, the cursor at its start.
    public mutating func hide() throws(TerminalError) {
        guard isShown else { return }
        try output.write(erasing(screenSize(output.descriptor).columns - 1))
        isShown = false
    }

    /// The whole row: the terminal may have echoed what was typed meanwhile.
    private func erasing(_ room: Int) -> String {
        usesEscapeCodes ? "\r\u{1B}[K" : "\r" + String(repeating: " ", count: max(room, 0)) + "\r"
    }
}
