import ArgumentParser
import GPU
import Engine
import JSON
import Model
import Numerics
import Terminal

/// Measures a model's speed.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures prefill and decode in tokens a second.",
        discussion: """
            Each repeat computes a prompt of random tokens (the same in every run) and then decodes greedily, end tokens ignored. \
            One run before, not counted, makes the pipelines. Reported: median, least and most of the repeats; on a device the \
            bytes and operations that a token takes by the kernels' own account, and the part that this is of the device's \
            limits, measured in the same run; load time and rate; the process's peak memory and the device's; device, driver and the \
            commit that the program was built from.

            --synthetic needs no files: a published model's shapes with random weights, made on the device.

              fathom bench --synthetic moonlight --format fp8
              fathom bench --synthetic v3-slice --layers 6 --experts 64 --format bf16
            """)

    @OptionGroup(title: "Model") var modelOptions: ModelOptions
    @OptionGroup(title: "Synthetic model") var syntheticOptions: SyntheticOptions

    @Option(parsing: .unconditional, help: ArgumentHelp("Tokens of the prompt.", valueName: "n"))
    var prompt = 512

    @Option(parsing: .unconditional, help: ArgumentHelp("Tokens to decode after the first.", valueName: "n"))
    var generate = 128

    @Option(parsing: .unconditional, help: ArgumentHelp("Counted runs.", valueName: "n"))
    var repeats = 5

    @Flag(help: "Print a JSON object.")
    var json = false

    mutating func validate() throws {
        // No context is longer, and the sum of two of these numbers does not overflow.
        let most = 1 << 30
        for (flag, value) in [("--prompt", prompt), ("--generate", generate), ("--repeats", repeats)]
        where !(1...most).contains(value) {
            throw ValidationError("\(flag): expected 1 to \(most), found \(value)")
        }
        if modelOptions.model != nil, syntheticOptions.synthetic != nil {
            throw ValidationError("expected --model or --synthetic, found both")
        }
    }

    func run() throws {
        var modelOptions = modelOptions
        // Room for the run, if nothing else was asked for.
        modelOptions.context = modelOptions.context ?? prompt + generate + 1
        let opened = try syntheticOptions.model().map(modelOptions.open) ?? modelOptions.open(needsText: false)
        let speeds = try measure(opened.model)
        let work = try BenchWork.measure(opened.model, prompt: tokens(for: opened.model))
        let report = try BenchReport(self, opened, speeds, work)
        try Output.standard.print(json ? report.json.serialized(pretty: true) + "\n" : report.text)
    }

    /// The prompt: random tokens, the same in every run.
    private func tokens(for model: any LanguageModel) -> [Int32] {
        var random = SeededRandom(seed: 1)
        return (0..<prompt).map { _ in Int32.random(in: 0..<Int32(model.vocabularySize), using: &random) }
    }

    /// Tokens a second of each counted run.
    private func measure(_ model: any LanguageModel) throws -> [(prefill: Double, decode: Double)] {
        let tokens = tokens(for: model)
        let options = GenerationOptions(maxNewTokens: generate + 1)
        let session = try Session(model: model)
        var speeds: [(prefill: Double, decode: Double)] = []
        for run in 0...repeats {
            session.reset()
            let summary = try session.generate(
                tokens, options: options, text: NoText(), onEvent: { _ in }
            ).summary
            guard summary.finishReason == .length else {
                throw CommandError(
                    "--prompt \(prompt) --generate \(generate): expected a context of \(prompt + generate + 1) tokens, found \(model.contextLength): lower them, or raise --context"
                )
            }
            guard run > 0 else { continue }
            speeds.append((summary.prefillRate!, summary.decodeRate!))
            if Surroundings.current().errorIsTerminal {
                try note(
                    "run \(run) of \(repeats): prefill \(fixed(summary.prefillRate!, 1)), decode \(fixed(summary.decodeRate!, 1)) tokens/s"
                )
            }
        }
        return speeds
    }
}
