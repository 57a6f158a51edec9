import Terminal

/// Writes an answer as it streams: the answer to stdout, its reasoning dimmed, to stderr, or nowhere.
///
/// A write that fails stops the answer; the failure is kept for whoever asks.
struct AnswerWriter {
    /// Where reasoning goes.
    enum Reasoning: Equatable {
        case hidden
        /// Dimmed before the answer, on the same terminal.
        case inline
        /// To stderr, so that stdout has the answer alone.
        case standardError
    }

    private let output: Output
    private let errors: Output
    private let isTerminal: Bool
    private let allowsEscapeCodes: Bool
    private let reasoning: Reasoning
    private let dim: Style
    private var splitter: ReasoningSplitter
    private var isInReasoning = false
    private var showsWaiting = false
    private var endsLine = true
    private var endsReasoningLine = true
    private(set) var failure: TerminalError?

    /// - Parameter dim: how reasoning looks on a terminal; plain sets it off with its marks instead.
    init(
        output: Output, errors: Output, isTerminal: Bool, allowsEscapeCodes: Bool, reasoning: Reasoning, dim: Style,
        beginsInReasoning: Bool
    ) {
        self.output = output
        self.errors = errors
        self.isTerminal = isTerminal
        self.allowsEscapeCodes = allowsEscapeCodes
        self.reasoning = reasoning
        self.dim = dim
        splitter = ReasoningSplitter(isOpen: beginsInReasoning)
    }

    /// Nothing was ever written, or the reasoning was cut off.
    var isCutInReasoning: Bool { splitter.isInReasoning }

    mutating func write(_ text: String) {
        for part in splitter.feed(text) { write(part) }
    }

    /// Ends the line.
    mutating func finish() throws(TerminalError) {
        for part in splitter.finish() { write(part) }
        leaveReasoning()
        if !endsLine { put("\n", on: output) }
        if let failure { throw failure }
    }

    private mutating func write(_ part: ReasoningSplitter.Part) {
        switch part {
        case .reasoning(let text):
            enterReasoning()
            switch reasoning {
            case .inline:
                put(dim.applied(to: terminalSafe(text)), on: output)
                endsReasoningLine = text.hasSuffix("\n")
            case .standardError:
                put(text, on: errors)
                endsReasoningLine = text.hasSuffix("\n")
            case .hidden: break
            }
        case .answer(let text):
            leaveReasoning()
            put(isTerminal ? terminalSafe(text) : text, on: output)
            endsLine = text.hasSuffix("\n")
        }
    }

    private mutating func enterReasoning() {
        guard !isInReasoning else { return }
        isInReasoning = true
        endsReasoningLine = true
        switch reasoning {
        case .inline: if dim == .plain { put("<think>\n", on: output) }
        case .standardError: put("<think>\n", on: errors)
        case .hidden:
            // Something should happen on the screen; it goes when the answer comes.
            guard isTerminal, allowsEscapeCodes else { return }
            put(dim.applied(to: "thinking …"), on: output)
            showsWaiting = true
        }
    }

    private mutating func leaveReasoning() {
        guard isInReasoning else { return }
        isInReasoning = false
        if showsWaiting {
            put("\r\u{1B}[K", on: output)
            showsWaiting = false
        }
        switch reasoning {
        case .inline:
            if !endsReasoningLine { put("\n", on: output) }
            put(dim == .plain ? "</think>\n\n" : "\n", on: output)
        case .standardError: put((endsReasoningLine ? "" : "\n") + "</think>\n", on: errors)
        case .hidden: break
        }
    }

    private mutating func put(_ text: String, on place: Output) {
        guard failure == nil, !text.isEmpty else { return }
        do throws(TerminalError) { try place.write(text) } catch { failure = error }
    }
}
