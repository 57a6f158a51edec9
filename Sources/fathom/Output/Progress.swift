import Loading
import Model
import Numerics
import Terminal

/// A line on stderr, under the program's name as a shell shows it.
func note(_ text: String) throws(TerminalError) {
    try Output.error.write(Surroundings.current().note("fathom: \(text.printable)") + "\n")
}

/// A line on stderr that shows the progress of some work, if stderr is a terminal.
final class ProgressLine {
    fileprivate let output: Output
    /// Nil where stderr is no terminal, or can no longer be written to.
    private var line: StatusLine?
    private var lastShown: Double

    /// - Parameter start: on the clock of `monotonicSeconds`; nothing is shown for a tenth of a second from then on.
    init(output: Output = .error, surroundings: Surroundings = .current(), start: Double = 0) {
        self.output = output
        lastShown = start
        if surroundings.errorIsTerminal {
            line = StatusLine(output: output, usesEscapeCodes: surroundings.allowsEscapeCodes)
        }
    }

    /// Shows the text, at most ten times a second.
    func show(_ text: @autoclosure () -> String, now: Double = monotonicSeconds()) {
        guard line != nil, now - lastShown > 0.1 else { return }
        lastShown = now
        // A progress line that cannot be shown does not stop the work.
        do throws(TerminalError) { try line?.show(text()) } catch { line = nil }
    }

    /// Clears the line.
    func clear() {
        do throws(TerminalError) { try line?.hide() } catch { line = nil }
    }
}

/// Shows on stderr how much of a model is loaded, where stderr is a terminal and loading takes more than an instant.
///
///     Minnow  [#########···········]  45%  4.2 MiB of 9.4 MiB  310.0 MiB/s  3 s left
struct LoadingBar {
    private let name: String
    private let start: Double
    private let line: ProgressLine

    init(
        name: String, output: Output = .error, surroundings: Surroundings = .current(),
        start: Double = monotonicSeconds()
    ) {
        self.name = name
        self.start = start
        line = ProgressLine(output: output, surroundings: surroundings, start: start)
    }

    /// - Parameter now: on the clock of `start`.
    func show(_ progress: LoadProgress, now: Double = monotonicSeconds()) {
        line.show(
            Self.line(
                name, progress, seconds: now - start, columns: screenSize(line.output.descriptor).columns), now: now)
    }

    /// Takes the bar away.
    func clear() { line.clear() }

    /// One line of less than `columns` columns; on narrow terminals with fewer parts.
    static func line(_ name: String, _ progress: LoadProgress, seconds: Double, columns: Int) -> String {
        let share = progress.totalByteCount > 0 ? Double(progress.loadedByteCount) / Double(progress.totalByteCount) : 1
        let rate = byteText(Int(Double(progress.loadedByteCount) / seconds))
        let filled = Int(share * 20)
        let bar = String(repeating: "#", count: filled) + String(repeating: "·", count: 20 - filled)
        let percent = "\(Int(share * 100))%"
        let bytes = "\(byteText(progress.loadedByteCount)) of \(byteText(progress.totalByteCount))  \(rate)/s"
        let left = share > 0 ? "  \(timeText(seconds / share - seconds)) left" : ""
        let lines = [
            "\(name)  [\(bar)]  \(percent)  \(bytes)\(left)", "[\(bar)]  \(percent)  \(bytes)\(left)",
            "\(name)  [\(bar)]  \(percent)  \(bytes)", "[\(bar)]  \(percent)  \(bytes)", "\(percent)  \(bytes)",
        ]
        return lines.first { CellWidth.of($0) < columns } ?? percent
    }

    /// Whole seconds, minutes or hours: "5 s", "3:20 min", "2:05 h".
    private static func timeText(_ seconds: Double) -> String {
        let seconds = Int(min(max(seconds, 0), 3.6e6).rounded())
        func pair(_ high: Int, _ low: Int) -> String { "\(high):\(low < 10 ? "0" : "")\(low)" }
        if seconds < 60 { return "\(seconds) s" }
        return seconds < 3600
            ? pair(seconds / 60, seconds % 60) + " min" : pair(seconds / 3600, seconds / 60 % 60) + " h"
    }
}
