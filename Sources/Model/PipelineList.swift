import GPU
import Kernels

extension Transformer {
    /// The pipelines that a conversation needs, the first prefill's first: found by the model's own wiring over an
    /// executor that lists, before there is any memory. What a step needs besides is made then.
    static func neededPipelines(
        _ source: any WeightSource, _ options: LoadOptions, contextLength: Int, on device: Device
    ) throws(ModelError) -> [NeededPipeline] {
        let executor = try Executor.listing(for: device)
        var loader = try WeightLoader(source: source, memory: executor.memory, profile: device.profile)
        let model = try Transformer(
            config: source.config, notes: [], weights: try loader.model(predicts: false),
            executor: executor, contextLength: contextLength, kvFormat: options.kvFormat,
            activations: options.activations)
        // A step that this device cannot do is an error of whoever asks for it.
        do throws(ModelError) { try model.rehearseConversation() } catch { return executor.neededPipelines }
        return executor.neededPipelines
    }

    private func rehearseConversation() throws(ModelError) {
        let most = min(Self.stepTokenCount, contextLength)
        // Variants go by rows: a whole step of a long prompt, the rest of one, a short one; then token after token.
        for count in Set([most, min(64, most), min(16, most), 1]).sorted(by: >) {
            // A conversation's first tokens, then those after others.
            if expansionRule.expands(start: 0, count: count) {
                try rehearse(.prefill, tokenCount: count, keyCount: count, outputCount: 1, expands: true)
            }
            try rehearse(.prefill, tokenCount: count, keyCount: most, outputCount: 1)
        }
        for keys in Set([most, contextLength]).sorted() {
            try rehearse(.decode, tokenCount: 1, keyCount: keys, outputCount: 1)
        }
        try rehearse(.decode, tokenCount: 1, keyCount: most, outputCount: 1, choice: .drawn)
    }
}
