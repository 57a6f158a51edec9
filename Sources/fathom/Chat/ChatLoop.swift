import ArgumentParser
import Generation
import Glibc
import Model
import Terminal
import Text

/// Reads turns and commands, and streams the answers.
struct ChatLoop {
    let opened: OpenedModel
    let template: ChatTemplate
    let thinking: Bool
    let session: Session
    let options: GenerationOptions
    let dropsOldest: Bool
    let showsReasoning: Bool
    let isInteractive: Bool
    let dim: Style
    var conversation = Conversation()
    private var lastSummary: GenerationSummary?

    init(
        opened: OpenedModel, template: ChatTemplate, thinking: Bool, session: Session, options: GenerationOptions,
        dropsOldest: Bool, showsReasoning: Bool, isInteractive: Bool, dim: Style
    ) {
        self.opened = opened
        self.template = template
        self.thinking = thinking
        self.session = session
        self.options = options
        self.dropsOldest = dropsOldest
        self.showsReasoning = showsReasoning
        self.isInteractive = isInteractive
        self.dim = dim
    }

    mutating func run() throws {
        var reader = LineReader(descriptor: 0, name: "standard input")
        if isInteractive {
            try note(
                "\(opened.name) on \(opened.model.deviceName), context \(opened.model.contextLength); /help lists the commands"
            )
        }
        while let line = try nextTurn(&reader) {
            if line.hasPrefix("/") && !line.hasPrefix("//") {
                do { if try !command(line) { return } } catch { try note("\(error)") }
                continue
            }
            let text = line.hasPrefix("//") ? String(line.dropFirst()) : line
            guard text.contains(where: { !$0.isWhitespace }) else { continue }
            conversation.turns.append(Message(role: .user, content: text))
            do {
                try answer()
            } catch {
                conversation.turns.removeLast()
                guard isInteractive, !(error is TerminalError) else { throw error }
                try note("\(error)")
            }
        }
        if isInteractive { try Output.standard.write("\n") }
    }

    /// The next line, with the lines it continues on; nil at the end of the input.
    private func nextTurn(_ reader: inout LineReader) throws -> String? {
        var text: String?
        var prompt = "> "
        while true {
            if isInteractive { try Output.standard.write(prompt) }
            guard let bytes = try reader.next() else { return text }
            let line = String(decoding: bytes, as: UTF8.self)
            let whole = text.map { $0 + "\n" + line } ?? line
            guard whole.hasSuffix("\\") else { return whole }
            text = String(whole.dropLast())
            prompt = ". "
        }
    }

    /// Generates and streams the answer to the conversation as it is.
    private mutating func answer() throws {
        let prompt = try fittingPrompt()
        var filter = ReasoningFilter(shows: showsReasoning, opening: dim.opening, closing: dim.closing)
        var failure: (any Error)?
        Interrupt.install()
        defer { Interrupt.uninstall() }
        let completion = try session.generate(
            prompt, options: options, text: opened.tokenText,
            isInterrupted: { Interrupt.isRequested || failure != nil }
        ) { event in
            guard case .text(let text) = event, failure == nil else { return }
            do { try Output.standard.write(filter.feed(text)) } catch { failure = error }
        }
        if let failure { throw failure }
        try Output.standard.write(filter.finish() + "\n")
        conversation.turns.append(Message(role: .assistant, content: completion.text))
        lastSummary = completion.summary
        if completion.summary.finishReason == .interrupted {
            try note("interrupted; what was said is kept")
            if !isInteractive { throw ExitCode.interrupted }
        }
        if completion.summary.finishReason == .contextFull {
            try note("the context is full: /clear, or a larger --context")
        }
    }

    /// The conversation's tokens; older turns go first where they do not fit and may go.
    private mutating func fittingPrompt() throws -> [Int32] {
        let limit = opened.model.contextLength
        while true {
            let prompt = try template.encode(
                messages: conversation.messages, addGenerationPrompt: true, thinking: thinking,
                tokenizer: opened.text!.tokenizer)
            guard prompt.count >= limit else { return prompt }
            guard dropsOldest, conversation.turns.count > 1 else {
                throw CommandError(
                    "the conversation takes \(prompt.count) tokens, but the context holds \(limit) with the answer: "
                        + "shorten it, /clear, raise --context, or use --overflow drop-oldest")
            }
            let dropped = conversation.turns.removeFirst()
            try note(
                "dropped the oldest \(dropped.role.rawValue) message: \(terminalSafe(String(dropped.content.prefix(60))))"
            )
            if conversation.turns.first?.role == .assistant { conversation.turns.removeFirst() }
        }
    }

    static let commands = [
        "/help", "/clear", "/system TEXT", "/save FILE", "/load FILE", "/regen", "/stats", "/exit",
    ]

    /// Carries out a command; false to leave.
    private mutating func command(_ line: String) throws -> Bool {
        let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
        let argument = parts.count > 1 ? parts[1].trimmed : ""
        switch parts[0] {
        case "/help": try note("commands: " + Self.commands.joined(separator: ", "))
        case "/clear":
            conversation.turns = []
            session.reset()
        case "/system": conversation.system = argument.isEmpty ? nil : argument
        case "/save":
            guard !argument.isEmpty else { throw CommandError("/save: expected a file's name, found none") }
            try conversation.save(to: argument)
            try note("saved \(conversation.turns.count) messages to \(argument)")
        case "/load":
            guard !argument.isEmpty else { throw CommandError("/load: expected a file's name, found none") }
            conversation = try Conversation.load(from: argument)
            try note("loaded \(conversation.turns.count) messages")
        case "/regen":
            guard conversation.turns.last?.role == .assistant else {
                throw CommandError("/regen: there is no answer yet")
            }
            let last = conversation.turns.removeLast()
            do { try answer() } catch {
                conversation.turns.append(last)
                throw error
            }
        case "/stats":
            guard let summary = lastSummary else { throw CommandError("/stats: there is no answer yet") }
            let used = session.cachedTokens.count
            try note("\(summary.text); context \(used) of \(opened.model.contextLength)")
        case "/exit": return false
        default:
            throw CommandError(
                "\(parts[0]): expected one of \(Self.commands.joined(separator: ", ")); // sends a line that begins with /"
            )
        }
        return true
    }
}

extension String {
    /// Without spaces at both ends.
    var trimmed: String {
        let start = drop { $0.isWhitespace }
        return String(start.reversed().drop { $0.isWhitespace }.reversed())
    }
}
