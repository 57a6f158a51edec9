import ArgumentParser
import Engine
import Numerics
import Terminal
import Text

/// Reads messages and commands, and streams the answers.
struct ChatLoop {
    /// What the command line decides.
    struct Settings {
        var options = GenerationOptions()
        /// Nil: shown where a person reads the answers, hidden elsewhere.
        var showsReasoning: Bool?
        /// Where the conversation exceeds the context: an error, or the oldest turns are dropped.
        var dropsOldest = false
    }

    let backend: any ChatBackend
    let console: ChatConsole
    let settings: Settings
    var conversation = Conversation()
    private var lastSummary: GenerationSummary?
    private var lastFile: String?
    /// Answers to the same message after the first draw with further seeds.
    private var regenerations: UInt64 = 0

    init(backend: any ChatBackend, console: ChatConsole, settings: Settings = Settings()) {
        self.backend = backend
        self.console = console
        self.settings = settings
    }

    /// - Throws: what ends the chat: at a terminal only the loss of it, in a pipe the first failure.
    mutating func run() throws {
        if console.isInteractive {
            try console.note(
                "\(backend.modelName) on \(backend.deviceName), context \(backend.contextLength) tokens. /help lists the commands."
            )
        }
        while let line = try console.nextMessage() {
            do {
                guard try handle(line) else { return }
            } catch let error as TerminalError where error == .outputClosed {
                throw error
            } catch {
                guard console.isInteractive else { throw error }
                try console.complain(error)
            }
        }
    }

    /// Returns false to end the chat.
    private mutating func handle(_ line: String) throws -> Bool {
        switch SlashCommand.read(line) {
        case .command(let command, let argument): return try run(command, argument)
        case .unknown(let word, let suggestion):
            let hint = suggestion.map { "did you mean \($0.name)?" } ?? "/help lists the commands;"
            throw CommandError("\(word): no such command; \(hint) // sends a line that begins with /")
        case .message(let text):
            // A paste often ends in an unintended line break.
            let text = text.withoutTrailingSpace
            guard !text.isEmpty else { return true }
            let before = conversation
            conversation.append(.user, text)
            regenerations = 0
            try answer(orReturnTo: before)
        }
        return true
    }

    // MARK: Answers

    /// Answers the conversation. Without an answer, after an error or a Ctrl-C before its first word, the conversation is
    /// again as it was `before`.
    private mutating func answer(orReturnTo before: Conversation) throws {
        do {
            if try !addAnswer() { conversation = before }
        } catch {
            conversation = before
            throw error
        }
    }

    /// Streams the answer to the conversation as it is and adds it; false if Ctrl-C came before its first word.
    private mutating func addAnswer() throws -> Bool {
        try makeFit()
        var options = settings.options
        options.sampling.seed &+= regenerations
        let dim = console.surroundings.outputStyle(.dim)
        let status = StatusLine(
            output: console.output, style: dim, usesEscapeCodes: console.surroundings.allowsEscapeCodes)
        var writer = AnswerWriter(
            output: console.output, errors: console.errors, isTerminal: console.surroundings.outputIsTerminal,
            status: console.showsAnswers ? status : nil,
            columns: console.showsAnswers ? { [console] in screenSize(console.output.descriptor).columns } : nil,
            reasoning: reasoningPlace, dim: dim, beginsInReasoning: backend.beginsInReasoning)
        let (text, summary) = try console.work { isInterrupted in
            try backend.answer(
                conversation.sent, options: options, shouldStop: { isInterrupted() || writer.failure != nil },
                onEvent: { writer.write($0) })
        }
        try writer.finish()
        if summary.finishReason == .interrupted, text.isEmpty {
            try console.note("Stopped before the answer began; the conversation is as it was before.")
            if !console.isInteractive { throw ExitCode.interrupted }
            return false
        }
        // Templates leave reasoning out of the next prompt; for that it has to be marked on both sides.
        let opening = backend.beginsInReasoning ? "<think>\n" : ""
        conversation.append(.assistant, opening + text + (writer.isCutInReasoning ? "\n</think>\n" : ""))
        lastSummary = summary
        try noteEnd(summary)
        if console.showsAnswers { try console.output.write("\n") }
        return true
    }

    private var reasoningPlace: AnswerWriter.Reasoning {
        guard settings.showsReasoning ?? console.showsAnswers else { return .hidden }
        return console.showsAnswers ? .inline : .standardError
    }

    /// Says why an answer ended early.
    private func noteEnd(_ summary: GenerationSummary) throws {
        switch summary.finishReason {
        case .stop, .stopString: break
        case .length: try console.note("The answer ends at --max-new-tokens \(summary.generatedTokenCount).")
        case .contextFull:
            let way =
                settings.dropsOldest
                ? "the next message drops the oldest; a larger --context leaves more room"
                : "/clear, or start with a larger --context or with --overflow drop-oldest"
            try console.note("The answer ends because the context of \(backend.contextLength) tokens is full: \(way).")
        case .interrupted:
            try console.note("Stopped after \(summary.generatedTokenCount) tokens; what was said is kept.")
            if !console.isInteractive { throw ExitCode.interrupted }
        }
    }

    /// Checks that the conversation fits the context; drops the oldest turns, where allowed, until an answer has room.
    private mutating func makeFit() throws {
        let limit = backend.contextLength
        let count = try backend.promptTokenCount(conversation.sent)
        // Room for a whole answer, also one that reasons first.
        let reserve = max(min(settings.options.maxNewTokens ?? 4096, limit / 4), 1)
        var remaining = count
        var dropped = 0
        while remaining + reserve > limit, settings.dropsOldest {
            let messages = conversation.dropOldestTurn()
            if messages == 0 { break }
            dropped += messages
            remaining = try backend.promptTokenCount(conversation.sent)
        }
        guard remaining < limit else {
            let what = settings.dropsOldest ? "the message alone" : "the conversation"
            throw CommandError(
                "\(what) takes \(remaining) tokens, but the context holds \(limit), of which the answer needs at least one: "
                    + (settings.dropsOldest
                        ? "shorten it, or start with a larger --context"
                        : "shorten the message, /clear, or start with a larger --context or with --overflow drop-oldest")
            )
        }
        if dropped > 0 {
            try console.note(
                "The context holds \(limit) tokens: the \(dropped) oldest messages (\(count - remaining) tokens) are no longer sent."
            )
        }
    }

    // MARK: Commands

    /// Returns false to end the chat.
    private mutating func run(_ command: SlashCommand, _ argument: String) throws -> Bool {
        guard argument.isEmpty || !command.argument.isEmpty else {
            throw CommandError("\(command.name): expected nothing behind it, found \"\(argument)\"")
        }
        switch command {
        case .help: try console.note(SlashCommand.helpLines.joined(separator: "\n"))
        case .clear:
            conversation.clear()
            lastSummary = nil
            // A further /save must not put the new conversation in the old one's place.
            lastFile = nil
            try console.note("The conversation starts anew.")
        case .system: try setSystem(argument)
        case .save: try save(argument)
        case .load: try load(argument)
        case .regen: try regenerate()
        case .stats: try console.note(statistics())
        case .exit: return false
        }
        return true
    }

    private mutating func setSystem(_ argument: String) throws {
        switch argument {
        case "": try console.note(conversation.system.map { "System message: \($0)" } ?? "There is no system message.")
        case "off":
            let had = conversation.system != nil
            conversation.system = nil
            try console.note(had ? "The system message is removed." : "There is no system message.")
        default:
            conversation.system = argument
            try console.note("The system message is set.")
        }
    }

    private mutating func save(_ argument: String) throws {
        guard let path = argument.isEmpty ? lastFile : expandingHome(argument) else {
            throw CommandError("/save: expected a file, found none: /save FILE")
        }
        try ConversationFile.save(conversation, model: backend.modelName, to: path)
        lastFile = path
        try console.note("Saved \(conversation.turns.count) messages to \(path).")
    }

    private mutating func load(_ argument: String) throws {
        guard !argument.isEmpty else { throw CommandError("/load: expected a file, found none: /load FILE") }
        let path = expandingHome(argument)
        conversation = try ConversationFile.load(from: path)
        lastFile = path
        lastSummary = nil
        regenerations = 0
        try console.note("Loaded \(conversation.turns.count) messages from \(path).")
    }

    private mutating func regenerate() throws {
        guard conversation.turns.contains(where: { $0.role == .user }) else {
            throw CommandError("/regen: there is no message to answer yet")
        }
        let before = conversation
        conversation.removeAnswer()
        regenerations += 1
        if settings.options.sampling.temperature == 0, lastSummary.map({ $0.finishReason != .interrupted }) ?? false {
            try console.note("At temperature 0 the answer stays the same; start with --temperature 0.7 for others.")
        }
        try answer(orReturnTo: before)
    }

    private func statistics() -> String {
        guard let summary = lastSummary else { return "There is no answer yet." }
        func speed(_ count: Int, _ rate: Double?, _ seconds: Double) -> String {
            "\(count) tokens" + (rate.map { " in \(fixed(seconds, 2)) s, \(fixed($0, 1)) tokens/s" } ?? "")
        }
        let used = summary.promptTokenCount + summary.generatedTokenCount
        let percent = used * 100 / max(backend.contextLength, 1)
        let cached = summary.cachedTokenCount > 0 ? " (\(summary.cachedTokenCount) more were cached)" : ""
        var lines = [
            "prefill  \(speed(summary.prefillTokenCount, summary.prefillRate, summary.prefillSeconds))\(cached)",
            "decode   \(speed(summary.generatedTokenCount, summary.decodeRate, summary.decodeSeconds))",
            "context  \(used) of \(backend.contextLength) tokens used (\(percent)%)",
        ]
        if conversation.firstSent > 0 {
            lines.append("         the \(conversation.firstSent) oldest messages are no longer sent")
        }
        return lines.joined(separator: "\n")
    }
}
