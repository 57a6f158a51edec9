import ArgumentParser
import Checkpoint
import Glibc
import Model
import Numerics
import Terminal

/// Writes what a model computes from tokens, for comparison with another implementation.
struct LogitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logits",
        abstract: "Writes the logits of every token to a safetensors file.",
        discussion: """
            The file holds logits [T, V] F32. With --all also hidden [L+1, T, H] F32, the residual stream before each layer and \
            after the last, and for each layer N with experts router_experts_N [T, k] I64 and router_weights_N [T, k] F32, each \
            token's in ascending order of expert; and with a multi-token prediction module mtp_logits [T-1, V] F32, what it makes of \
            each token and the one after. Needs no tokenizer.

              fathom logits --model DIR --tokens 0,19923,14 --out logits.safetensors
            """)

    @OptionGroup(title: "Model") var modelOptions: ModelOptions

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Token ids, as in 1,2,3.", valueName: "ids"),
        transform: TokenList.parse)
    var tokens: [Int32]

    @Option(help: ArgumentHelp("The file to write.", valueName: "file"))
    var out: String

    @Flag(help: "Also the hidden states and the routing.")
    var all = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Tokens a step, 1 for decode steps. Without it, all in one prefill.", valueName: "n"))
    var chunk: Int?

    mutating func validate() throws {
        if tokens.isEmpty { throw ValidationError("--tokens: expected at least one token id, as in 1,2,3; found none") }
        if let chunk, chunk < 1 { throw ValidationError("--chunk: expected 1 or more, found \(chunk)") }
    }

    func run() throws {
        // Checked first: a wrong path should not cost loading a model.
        let isFile = try SafetensorsWriter.check(out)
        let opened = try modelOptions.open(needsText: false)
        let tensors = try all ? trace(opened.model) : [logits(opened.model)]
        // From here on an interrupt has to remove a partial file.
        if isFile { Interrupt.install() }
        signal(SIGXFSZ, SIG_IGN)
        do throws(CheckpointError) {
            try SafetensorsWriter.write(tensors: tensors, to: out) { Interrupt.isRequested }
        } catch {
            if error.kind == .interrupted { throw ExitCode.interrupted }
            throw error
        }
        if Surroundings.current().errorIsTerminal {
            try note("\(out): " + tensors.map { "\($0.name) \($0.shape)" }.joined(separator: ", "))
        }
    }

    /// Logits alone: nothing else has to leave the device.
    private func logits(_ model: any LanguageModel) throws -> SafetensorsWriter.Tensor {
        let size = chunk ?? tokens.count
        let sequence = try model.makeSequence()
        defer { model.release(sequence) }
        var values: [Float] = []
        for start in stride(from: 0, to: tokens.count, by: size) {
            let part = Array(tokens[start..<min(start + size, tokens.count)])
            let item = StepItem(sequence: sequence, tokens: part, rows: .all)
            values += try model.step(size == 1 ? .decode : .prefill, [item])[0].logits
        }
        return tensor("logits", [tokens.count, model.vocabularySize], values)
    }

    private func trace(_ model: any LanguageModel & TraceableModel) throws -> [SafetensorsWriter.Tensor] {
        let count = tokens.count
        let trace = try model.trace(tokens, chunk: chunk)
        let width = (trace.hidden.first?.count ?? 0) / count
        let routing = trace.routing.flatMap { layer in
            let shape = [count, layer.experts.count / count]
            let experts = layer.experts.map { Int64($0).littleEndian }.withUnsafeBytes { Array($0) }
            return [
                ("router_experts_\(layer.layer)", shape, .i64, experts),
                tensor("router_weights_\(layer.layer)", shape, layer.weights),
            ]
        }
        let prediction =
            trace.mtpLogits.isEmpty
            ? [] : [tensor("mtp_logits", [count - 1, model.vocabularySize], trace.mtpLogits)]
        return [
            tensor("logits", [count, model.vocabularySize], trace.logits),
            tensor("hidden", [trace.hidden.count, count, width], trace.hidden.flatMap { $0 }),
        ] + routing + prediction
    }

    private func tensor(_ name: String, _ shape: [Int], _ values: [Float]) -> SafetensorsWriter.Tensor {
        (name, shape, .f32, values.map(\.bitPattern.littleEndian).withUnsafeBytes { Array($0) })
    }
}
