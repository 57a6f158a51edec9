import Terminal

/// A line on stderr that says how far something is, where that is a terminal.
final class ProgressLine {
    private var line: StatusLine?
    private var lastShown = 0.0

    init() {
        let surroundings = Surroundings.current()
        if surroundings.errorIsTerminal {
            line = StatusLine(output: .error, usesEscapeCodes: surroundings.allowsEscapeCodes)
        }
    }

    /// Ten times a second is enough to see.
    func show(_ text: String) {
        let now = monotonicSeconds()
        guard line != nil, now - lastShown > 0.1 else { return }
        lastShown = now
        // What cannot be shown does not stop the work.
        do throws(TerminalError) { try line?.show(text) } catch { line = nil }
    }

    /// Takes the line away.
    func clear() {
        do throws(TerminalError) { try line?.hide() } catch { line = nil }
    }
}
