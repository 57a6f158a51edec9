import FixtureSupport
import Testing

@testable import Loading
@testable import Model

/// A prompt longer than a step takes, against the independent implementation: the other fixtures end at 96 tokens.
@Suite(.serialized) struct LongPromptTests {
    private func load(_ device: String) throws -> LoadedModel {
        try ModelLoader.load(
            source: .folder(try Oracle.v3Long.folder()), device: device == "cpu" ? .cpu : .vulkan(nil),
            options: LoadOptions(contextTokens: 1024))
    }

    /// In one call, which computes the prompt in steps of 256 tokens, and in chunks that end elsewhere. The bounds equal the bounds
    /// for short prompts (`ParityTests`).
    @Test(arguments: ["cpu", "vulkan"]) func agreesWithTheOracle(_ device: String) throws {
        let expected = try Expected(.v3Long)
        let tokens = expected.integers("tokens").map { Int32($0) }
        #expect(tokens.count == 760)
        let model = try load(device)
        for chunk in device == "cpu" ? [nil] : [nil, 100] {
            expected.compare(
                try model.trace(tokens, chunk: chunk), predicts: true, bound: device == "cpu" ? 1e-9 : 1e-5)
        }
    }

    /// Greedy decoding after the prompt. Every step takes the expected token, so that one close call does not end the
    /// comparison.
    @Test func continuesAsTheOracle() throws {
        let expected = try Expected(.v3Long)
        let model = try load("vulkan")
        let sequence = try model.makeSequence()
        var (phase, tokens) = (StepPhase.prefill, expected.integers("tokens").map { Int32($0) })
        for (index, token) in expected.integers("greedy").enumerated() {
            let logits = try model.step(phase, [StepItem(sequence: sequence, tokens: tokens, output: .last)])[0].logits
            let order = logits.indices.sorted { logits[$0] > logits[$1] }
            if logits[order[0]] - logits[order[1]] > 0.05 { #expect(order[0] == token, "token \(index)") }
            (phase, tokens) = (.decode, [Int32(token)])
        }
    }
}
