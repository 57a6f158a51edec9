import ArgumentParser
import Glibc
import Terminal
import Text

/// Talks with a model: a message is a turn, the answer streams.
struct ChatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talks with a model.",
        discussion: """
            At a terminal: Enter sends; Alt-Enter, Ctrl-J or a \\ at the end of a line begins a new one, and a paste keeps \
            its lines. Ctrl-C stops an answer and keeps it; Ctrl-D leaves; /help lists the commands.

            In a pipe each line is a message, or a command such as /clear. stdout carries the answers and nothing else, \
            without escape codes; notes go to stderr. The first failure ends the chat. Where only stdout is redirected, \
            one still types at the terminal, and the answers go where stdout goes. NO_COLOR or TERM=dumb: no escape codes \
            anywhere.

              fathom chat
              printf 'What is the capital of France?\\n' | fathom chat

            Exit codes: 0 the chat ended, or the reader of stdout went away; 1 it failed (in a pipe also: a wrong \
            command, a conversation longer than the context); 64 wrong usage; 130 interrupted while loading, or in a pipe.
            """)

    @OptionGroup(title: "Model") var modelOptions: ModelOptions
    @OptionGroup(title: "Sampling") var sampling: SamplingFlags
    @OptionGroup(title: "Template") var templateFlags: TemplateFlags

    @Option(help: ArgumentHelp("What the model is told before the conversation.", valueName: "text"))
    var system: String?

    @Option(
        help: ArgumentHelp(
            "Reasoning between <think> and </think>: show it (dimmed; on stderr where stdout is redirected) or hide it. Without it, shown at a terminal only.",
            valueName: "how"))
    var think: Reasoning?

    @Option(
        help: ArgumentHelp(
            "Where the conversation outgrows the context: an error, or its oldest messages are no longer sent (stderr says how many).",
            valueName: "how"))
    var overflow = Overflow.error

    @Flag(help: "Neither keep the messages of this chat for later chats nor offer those of earlier ones.")
    var noHistory = false

    enum Reasoning: String, ExpressibleByArgument, CaseIterable { case show, hide }
    enum Overflow: String, ExpressibleByArgument, CaseIterable {
        case error
        case dropOldest = "drop-oldest"
    }

    func run() throws {
        // Closed pipes and limits on file sizes become errors of the write instead of signals.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        Interrupt.install()
        let opened = try modelOptions.open(needsText: true)
        Interrupt.uninstall()
        guard let text = opened.text else { throw CommandError("\(opened.name): expected a tokenizer, found none") }
        let backend = try SessionBackend(
            opened, text: text, template: try templateFlags.choose(for: text), thinking: templateFlags.thinking)
        do {
            let console = try ChatConsole(
                surroundings: .current(), history: noHistory ? nil : HistoryFile.standard(program: "fathom"))
            defer { console.close() }
            let settings = ChatLoop.Settings(
                options: sampling.options(stopTokens: opened.stopTokens), showsReasoning: think.map { $0 == .show },
                dropsOldest: overflow == .dropOldest)
            var loop = ChatLoop(backend: backend, console: console, settings: settings)
            loop.conversation.system = system.flatMap { $0.trimmed.isEmpty ? nil : $0 }
            try loop.run()
        } catch TerminalError.outputClosed {
            // The reader of the answers has closed the pipe.
        }
    }
}
