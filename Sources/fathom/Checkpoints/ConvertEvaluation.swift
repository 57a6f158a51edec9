import ArgumentParser
import Checkpoint
import JSON
import Kernels
import Loading
import Model
import Numerics

/// How well a model predicts a text before and after a conversion (`--eval`), one model loaded at a time.
struct ConvertEvaluation {
    /// Both measures, of one text and in the same windows.
    struct Result {
        let source, target: PredictedText.Measure

        private var ratio: Double { target.perplexity.value / source.perplexity.value }

        func lines(source sourceName: String, target targetName: String) -> [String] {
            let difference = target.perplexity.value - source.perplexity.value
            return [
                "perplexity  \(source.value) of \(sourceName)", "            \(target.value) of \(targetName)",
                "change      \(difference < 0 ? "" : "+")\(fixed(difference, 4)), \(fixed(ratio, 4)) times",
                "tokens      \(source.tokens)",
            ]
        }

        var json: JSONValue {
            [
                "source": .init(source.perplexity.value), "target": .init(target.perplexity.value),
                "ratio": .init(ratio), "tokens": .init(source.perplexity.tokenCount), "context": .init(source.window),
                "stride": .init(source.stride),
            ]
        }
    }

    private let text: PredictedText
    private let device: String?

    /// Reads the text.
    init(text path: String, device: String?) throws {
        text = try PredictedText(path: path)
        self.device = device
    }

    /// Measures the source. Before the conversion, which takes long, and with a check that the target will fit: whatever
    /// keeps either model from being measured is reported first.
    func source(_ folder: String, _ plan: ConversionPlan, target: String) throws -> PredictedText.Measure {
        do {
            try checkRoom(plan.outcome(), target)
            return try measure(folder)
        } catch let code as ExitCode {
            throw code
        } catch {
            throw CommandError("\(ErrorAdvice.line(error)); leave --eval out to convert without measuring")
        }
    }

    /// Measures what the conversion made.
    func target(_ folder: String) throws -> PredictedText.Measure { try measure(folder) }

    private func measure(_ folder: String) throws -> PredictedText.Measure {
        Interrupt.install()
        defer { Interrupt.uninstall() }
        var options = LoadOptions(pipelineCache: Catalogue.pipelineCache)
        options.prepareDevice = { VariantOptions.applyMeasured(to: $0) }
        return try text.measure(
            on: ModelSource(folder: folder).open(on: device, needsText: true, options: options))
    }

    /// Checks that the converted model will fit where it is to run.
    private func checkRoom(_ outcome: Checkpoint, _ target: String) throws {
        let plan = try DevicePlan(outcome, on: DeviceChoice(checking: device)) { VariantOptions.applyMeasured(to: $0) }
        let context = min(outcome.config.maxPositionEmbeddings, LoadOptions.defaultContextTokens)
        guard let option = plan.options.first, option.largestContext < context else { return }
        throw CommandError(
            "\(target): expected at most \(byteText(plan.budget)) for a context of \(context) on \(plan.name), "
                + "found \(byteText(option.weights)) of weights, \(byteText(option.cache)) of cache and "
                + "\(byteText(option.scratch)) of intermediate values: name another --device")
    }
}
