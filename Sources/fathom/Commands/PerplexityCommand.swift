import ArgumentParser
import JSON
import Numerics
import Terminal

/// How well a model predicts a text: a conversion of its weights should not change it.
struct PerplexityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity",
        abstract: "Measures how well a model predicts a text.",
        discussion: """
            Perplexity is exp of the mean of −ln p(token), each token predicted from those before it; lower is better. A text \
            longer than the context (--context) is read in windows that begin --stride tokens apart: every token is predicted \
            once, from at least context − stride tokens before it where the text has as many. Perplexities compare only with \
            the same tokenizer, text, context and stride.

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
                "--context: expected 2 or more, found \(context): a token is predicted from the one before it")
        }
        if let stride, stride < 1 { throw ValidationError("--stride: expected 1 or more, found \(stride)") }
        if let stride, let context = modelOptions.context, stride >= context {
            throw ValidationError("--stride: expected less than the context's \(context), found \(stride)")
        }
    }

    func run() throws {
        let text = try PredictedText(path: text)
        Interrupt.install()
        let measured = try text.measure(on: modelOptions.open(needsText: true), stride: stride)
        try Output.standard.print(json ? object(measured).serialized() + "\n" : page(measured))
    }

    private func page(_ measured: PredictedText.Measure) -> String {
        """
        perplexity  \(measured.value)
        tokens      \(measured.tokens)
        entropy     \(fixed(measured.perplexity.nats, 4)) nats a token

        """
    }

    private func object(_ measured: PredictedText.Measure) -> JSONValue {
        let perplexity = measured.perplexity
        return [
            "perplexity": .init(perplexity.value), "uncertainty": perplexity.uncertainty.map { .init($0) } ?? .null,
            "tokens": .init(perplexity.tokenCount), "nats_per_token": .init(perplexity.nats),
            "context": .init(measured.window), "stride": .init(measured.stride),
        ]
    }
}
