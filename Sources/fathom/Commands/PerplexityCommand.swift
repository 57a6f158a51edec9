import ArgumentParser
import Generation
import JSON
import Numerics
import Terminal

/// How well a model foretells a text: what a conversion of its weights should not change.
struct PerplexityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity",
        abstract: "Measures how well a model foretells a text.",
        discussion: """
            exp of the mean of −ln p(token), each token after those before it; the lower, the better. A text longer than the \
            context (--context) goes through it in windows that begin --stride tokens apart: every token is foretold once, after \
            at least context − stride others where there are as many. Compare models with the same tokenizer, text, context and \
            stride alone.

              fathom perplexity --model DIR --text wiki.test.raw --context 2048
            """)

    @OptionGroup(title: "Model") var modelOptions: ModelOptions

    @Option(help: ArgumentHelp("The text, in UTF-8.", valueName: "file"))
    var text: String

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Tokens between the beginnings of two windows. Without it, half the context.", valueName: "m"))
    var stride: Int?

    @Flag(help: "Print a JSON object.")
    var json = false

    mutating func validate() throws {
        if let context = modelOptions.context, context < 2 {
            throw ValidationError(
                "--context: expected 2 or more, found \(context): a token is foretold from one before it")
        }
        if let stride, stride < 1 { throw ValidationError("--stride: expected 1 or more, found \(stride)") }
        if let stride, let context = modelOptions.context, stride >= context {
            throw ValidationError("--stride: expected less than the context's \(context), found \(stride)")
        }
    }

    func run() throws {
        // A wrong path should not cost a model's load.
        let bytes = try Input.file(text)
        _ = try Input.text(bytes, name: text)  // UTF-8
        Interrupt.install()
        let opened = try modelOptions.open(needsText: true)
        let tokens = try opened.text!.encode(raw: bytes)
        guard tokens.count > 1 else {
            throw CommandError("\(text): expected a text of two tokens or more, found \(tokens.count)")
        }
        let window = opened.model.contextLength
        let stride = stride ?? max(1, window / 2)
        guard stride < window else {
            throw CommandError("--stride: expected less than the context's \(window), found \(stride)")
        }
        let line = ProgressLine()
        defer { line.clear() }
        let measured = try Perplexity.measure(tokens, on: opened.model, window: window, stride: stride) { part in
            if part.tokenCount > 0 {
                line.show("\(part.tokenCount) of \(tokens.count - 1) tokens, perplexity \(fixed(part.value, 4))")
            }
            return !Interrupt.isRequested
        }
        line.clear()
        guard let measured, !Interrupt.isRequested else { throw ExitCode.interrupted }
        try Output.standard.write(
            json
                ? object(measured, window: window, stride: stride).serialized() + "\n"
                : page(measured, of: tokens.count, window: window, stride: stride))
    }

    private func page(_ measured: Perplexity, of count: Int, window: Int, stride: Int) -> String {
        let spread = measured.uncertainty.map { " ± \(fixed($0, 4))" } ?? ""
        let windows =
            count > window ? ", in windows of \(window) that begin \(stride) apart" : ", each after all before it"
        return """
            perplexity  \(fixed(measured.value, 4))\(spread)
            tokens      \(measured.tokenCount) foretold\(windows)
            entropy     \(fixed(measured.nats, 4)) nats a token

            """
    }

    private func object(_ measured: Perplexity, window: Int, stride: Int) -> JSONValue {
        [
            "perplexity": .init(measured.value), "uncertainty": measured.uncertainty.map { .init($0) } ?? .null,
            "tokens": .init(measured.tokenCount), "nats_per_token": .init(measured.nats), "context": .init(window),
            "stride": .init(stride),
        ]
    }
}
