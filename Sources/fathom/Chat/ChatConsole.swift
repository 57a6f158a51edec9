import Terminal

/// Where the chat reads messages and writes everything else: a terminal with an editor, or pipes.
final class ChatConsole {
    let output: Output
    let errors: Output
    let surroundings: Surroundings
    private let input: Input

    private enum Input {
        case editor(LineEditor, InterruptSource, Prompt)
        case lines(PipedLines)
    }

    /// - Parameter history: where messages are remembered between chats at a terminal; nil for nowhere.
    init(
        input: Int32 = 0, output: Output = .standard, errors: Output = .error, surroundings: Surroundings,
        history: HistoryFile?
    ) throws(TerminalError) {
        self.output = output
        self.errors = errors
        self.surroundings = surroundings
        historyFile = history
        guard surroundings.inputIsTerminal, surroundings.outputIsTerminal || surroundings.errorIsTerminal else {
            self.input = .lines(PipedLines(LineReader(descriptor: input, name: "standard input")))
            return
        }
        var remembered = History()
        var historyFailure: TerminalError?
        if let history {
            do throws(TerminalError) { remembered = try history.load() } catch { historyFailure = error }
        }
        let editor = Editor(
            history: remembered, leaveHint: "Ctrl-D or /exit leaves.", complete: { SlashCommand.complete($0) })
        // With the answers redirected, the conversation is on stderr.
        let screen = surroundings.outputIsTerminal ? output : errors
        let interrupts = InterruptSource()
        let lineEditor = try LineEditor(
            editor: editor, input: input, output: screen, usesEscapeCodes: surroundings.allowsEscapeCodes)
        let style: Style = surroundings.allowsEscapeCodes ? .boldCyan : .plain
        self.input = .editor(lineEditor, interrupts, Prompt("> ", style: style))
        if let historyFailure { try giveUpHistory(historyFailure) }
    }

    private var historyFile: HistoryFile?

    /// A person sits at a terminal. Otherwise every line is a message, and the first failure ends the chat.
    var isInteractive: Bool {
        if case .editor = input { true } else { false }
    }

    /// Answers go to the terminal that a person sits at.
    var showsAnswers: Bool { isInteractive && surroundings.outputIsTerminal }

    /// Gives the terminal back.
    func close() {
        if case .editor(let editor, _, _) = input { editor.close() }
    }

    /// The next message; nil at the end.
    func nextMessage() throws -> String? {
        switch input {
        case .lines(let lines): return try lines.next()
        case .editor(let editor, _, let prompt):
            guard let message = try editor.readMessage(prompt: prompt) else { return nil }
            if editor.editor.history.add(message), let historyFile {
                do throws(TerminalError) { try historyFile.append(message) } catch { try giveUpHistory(error) }
            }
            return message
        }
    }

    private func giveUpHistory(_ error: TerminalError) throws(TerminalError) {
        historyFile = nil
        try note("what you write is not remembered after this chat: \(error)")
    }

    /// Runs `body`, which asks whether Ctrl-C was pressed. In a pipe a second Ctrl-C ends the program.
    func work<Result>(_ body: (_ isInterrupted: @escaping () -> Bool) throws -> Result) rethrows -> Result {
        switch input {
        case .editor(let editor, let interrupts, _):
            interrupts.reset()
            defer {
                if interrupts.isInterrupted { editor.dropTyped() }
                interrupts.reset()
            }
            return try body {
                editor.collectTyped()
                return interrupts.isInterrupted
            }
        case .lines:
            Interrupt.install()
            defer { Interrupt.uninstall() }
            return try body { Interrupt.isRequested }
        }
    }

    /// Writes a note to stderr.
    func note(_ text: String) throws(TerminalError) {
        let shown = surroundings.note(isInteractive ? text.printable : "fathom: \(text.printable)", on: errors)
        try errors.write((isInteractive ? surroundings.errorStyle(.dim) : .plain).applied(to: shown) + "\n")
    }

    /// Reports an error after which the chat goes on.
    func complain(_ error: any Error) throws(TerminalError) {
        let shown = surroundings.note(ErrorAdvice.line(error), on: errors)
        try errors.write(surroundings.errorStyle(.red).applied(to: shown) + "\n")
    }
}

/// Lines of a pipe or a file as messages; bytes that are not UTF-8 become U+FFFD.
private final class PipedLines {
    private var reader: LineReader

    init(_ reader: LineReader) { self.reader = reader }

    func next() throws -> String? { try reader.next().map { String(decoding: $0, as: UTF8.self) } }
}
