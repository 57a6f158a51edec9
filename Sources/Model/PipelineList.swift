import GPU
import Kernels

extension Transformer {
    /// The pipelines that a conversation needs, the first prefill's first: found by the model's own wiring over an
    /// executor that lists, before there is any memory. What a step needs besides is made then.
    static func neededPipelines(
        _ source: any WeightSource, _ options: LoadOptions, contextLength: Int, on device: Device
    ) throws(ModelError) -> [NeededPipeline] {
        let executor = try Executor.listing(for: device)
        var loader = WeightLoader(source: source, executor: executor)
        let model = try Transformer(
            config: source.config, notes: [], weights: try loader.model(source.config, predicts: false),
            executor: executor, contextLength: contextLength, kvFormat: options.kvFormat)
        // A step that this device cannot do is an error of whoever asks for it.
        do throws(ModelError) { try model.rehearseConversation() } catch { return executor.neededPipelines }
        return executor.neededPipelines
    }

    private func rehearseConversation() throws(ModelError) {
        let most = min(Self.stepTokenCount, contextLength)
        // Variants go by rows: a whole step of a long prompt, the rest of one, a short one; then token after token.
        let prefills = Set([most, min(64, most), min(16, most), 1]).sorted(by: >).map { (StepPhase.prefill, $0, most) }
        let decodes = Set([most, contextLength]).sorted().map { (StepPhase.decode, 1, $0) }
        for (phase, tokens, keys) in prefills + decodes {
            guard let logits = try rehearse(phase, tokenCount: tokens, keyCount: keys, outputCount: 1) else { continue }
            try executor.run(Argmax(logits: logits, result: try tensor("best tokens", [1, 2], words: true)))
        }
    }
}
