import ArgumentParser
import Generation
import Glibc
import Model
import Terminal
import Text

/// Talks with a model: a line is a turn, the answer streams.
struct ChatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talks with a model.",
        discussion: """
            Each line is a turn; a line that ends in \\ goes on with the next. Lines that begin with / are commands: see \
            /help; // sends a line that begins with /. Where stdin is not a terminal, stdout carries the answers and nothing else. \
            Ctrl-C stops an answer and keeps it; Ctrl-D leaves.
            """)

    @OptionGroup var modelOptions: ModelOptions
    @OptionGroup var sampling: SamplingFlags
    @OptionGroup var templateFlags: TemplateFlags

    @Option(help: ArgumentHelp("What the model is told before the conversation.", valueName: "text"))
    var system: String?

    @Option(
        help: ArgumentHelp(
            "Reasoning between <think> and </think>: show it dimmed, or hide it.", valueName: "show|hide"))
    var think = Reasoning.show

    @Option(
        help: ArgumentHelp(
            "A conversation longer than the context: an error, or drop-oldest turns (stderr says what went).",
            valueName: "error|drop-oldest"))
    var overflow = Overflow.error

    enum Reasoning: String, ExpressibleByArgument, CaseIterable { case show, hide }
    enum Overflow: String, ExpressibleByArgument, CaseIterable {
        case error
        case dropOldest = "drop-oldest"
    }

    func run() throws {
        let opened = try modelOptions.open(needsText: true)
        let surroundings = Surroundings.current()
        let isInteractive = surroundings.inputIsTerminal && surroundings.outputIsTerminal
        var loop = ChatLoop(
            opened: opened, template: try templateFlags.choose(for: opened.text!), thinking: templateFlags.thinking,
            session: try Session(model: opened.model), options: sampling.options(stopTokens: opened.stopTokens),
            dropsOldest: overflow == .dropOldest, showsReasoning: think == .show && isInteractive,
            isInteractive: isInteractive, dim: surroundings.outputStyle(.dim))
        loop.conversation.system = system
        try loop.run()
    }
}
