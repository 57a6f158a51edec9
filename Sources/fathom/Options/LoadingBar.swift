import Model
import Numerics
import Terminal

/// Shows on stderr how much of a model is loaded, where that is a terminal and it takes long enough to wonder.
///
///     Minnow  [#########···········]  45%  4.2 MiB of 9.4 MiB  310.0 MiB/s  3 s left
final class LoadingBar {
    private let name: String
    private let output: Output
    /// Nil where no one looks.
    private var line: StatusLine?
    private let start: Double
    private var lastShown = 0.0

    init(
        name: String, output: Output = .error, surroundings: Surroundings = .current(),
        start: Double = monotonicSeconds()
    ) {
        self.name = name
        self.output = output
        self.start = start
        if surroundings.errorIsTerminal {
            line = StatusLine(output: output, usesEscapeCodes: surroundings.allowsEscapeCodes)
        }
    }

    /// - Parameter now: on the clock of `start`.
    func show(_ progress: LoadProgress, now: Double = monotonicSeconds()) {
        // Ten times a second is enough to see, and a small model is there before the first.
        guard line != nil, now - max(lastShown, start) > 0.1 else { return }
        lastShown = now
        let text = Self.line(name, progress, seconds: now - start, columns: screenSize(output.descriptor).columns)
        // What cannot be shown does not stop the loading.
        do throws(TerminalError) { try line?.show(text) } catch { line = nil }
    }

    /// Takes the bar away.
    func clear() {
        do throws(TerminalError) { try line?.hide() } catch { line = nil }
    }

    /// One line that fits in `columns`, less where they do not suffice.
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
