/// A temporary progress message on a separate row. Works with and without escape codes.
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

    /// Replaces the shown text by `text`, clipped to the window.
    public mutating func show(_ text: String) throws(TerminalError) {
        // Leaves the last column free: a character there might wrap.
        let room = screenSize(output.descriptor).columns - 1
        try output.write((isShown ? erasing(room) : "") + style.applied(to: clipped(text, columns: room)))
        isShown = true
    }

    /// Clears the row and moves the cursor to its start.
    public mutating func hide() throws(TerminalError) {
        guard isShown else { return }
        try output.write(erasing(screenSize(output.descriptor).columns - 1))
        isShown = false
    }

    /// Erases the whole row, since the terminal may have echoed typed text there.
    private func erasing(_ room: Int) -> String {
        usesEscapeCodes ? "\r\u{1B}[K" : "\r" + String(repeating: " ", count: max(room, 0)) + "\r"
    }
}
