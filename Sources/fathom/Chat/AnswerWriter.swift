import Engine
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
    private var status: StatusLine?
    private let columns: (() -> Int)?
    private let reasoning: Reasoning
    private let dim: Style
    private var splitter: ReasoningSplitter
    private var wrap = WordWrap()
    private var isInReasoning = false
    private var endsLine = true
    private var endsReasoningLine = true
    private(set) var failure: TerminalError?

    /// - Parameters:
    ///   - status: says that something happens before there is an answer; nil for nowhere.
    ///   - columns: width of the terminal, asked as it may change; nil to leave the lines as they come.
    ///   - dim: how reasoning looks on a terminal; plain sets it off with its marks instead.
    init(
        output: Output, errors: Output, isTerminal: Bool, status: StatusLine?, columns: (() -> Int)?,
        reasoning: Reasoning, dim: Style, beginsInReasoning: Bool
    ) {
        self.output = output
        self.errors = errors
        self.isTerminal = isTerminal
        self.status = status
        self.columns = columns
        self.reasoning = reasoning
        self.dim = dim
        splitter = ReasoningSplitter(isOpen: beginsInReasoning)
    }

    /// Nothing was ever written, or the reasoning was cut off.
    var isCutInReasoning: Bool { splitter.isInReasoning }

    mutating func write(_ event: GenerationEvent) {
        switch event {
        case .text(let text): for part in splitter.feed(text) { write(part) }
        // The status of a short prompt would vanish before anyone could read it.
        case .prefilled(let count, let total) where total - count >= 128 || (status?.isShown == true && count < total):
            showStatus("reading \(count) of \(total) tokens …")
        case .prefilled, .token: break
        }
    }

    /// Ends the line.
    mutating func finish() throws(TerminalError) {
        for part in splitter.finish() { write(part) }
        leaveReasoning()
        hideStatus()
        if !endsLine { put("\n", on: output) }
        if let failure { throw failure }
    }

    private mutating func write(_ part: ReasoningSplitter.Part) {
        switch part {
        case .reasoning(let text):
            if reasoning != .hidden { hideStatus() }
            enterReasoning()
            switch reasoning {
            case .inline:
                put(dim.applied(to: wrapped(terminalSafe(text))), on: output)
                endsReasoningLine = text.hasSuffix("\n")
            case .standardError:
                put(text, on: errors)
                endsReasoningLine = text.hasSuffix("\n")
            case .hidden: break
            }
        case .answer(let text):
            leaveReasoning()
            hideStatus()
            put(isTerminal ? wrapped(terminalSafe(text)) : text, on: output)
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
            showStatus("thinking …")
        }
    }

    private mutating func leaveReasoning() {
        guard isInReasoning else { return }
        isInReasoning = false
        hideStatus()
        wrap = WordWrap()
        switch reasoning {
        case .inline:
            if !endsReasoningLine { put("\n", on: output) }
            put(dim == .plain ? "</think>\n\n" : "\n", on: output)
        case .standardError: put((endsReasoningLine ? "" : "\n") + "</think>\n", on: errors)
        case .hidden: break
        }
    }

    private mutating func showStatus(_ text: String) {
        do throws(TerminalError) { try status?.show(text) } catch { failure = error }
    }

    private mutating func hideStatus() {
        do throws(TerminalError) { try status?.hide() } catch { failure = error }
    }

    private mutating func wrapped(_ text: String) -> String { columns.map { wrap.feed(text, columns: $0()) } ?? text }

    private mutating func put(_ text: String, on place: Output) {
        guard failure == nil, !text.isEmpty else { return }
        do throws(TerminalError) { try place.write(text) } catch { failure = error }
    }
}
