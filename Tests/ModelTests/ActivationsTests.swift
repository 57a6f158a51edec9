import Checkpoint
import FixtureSupport
import Kernels
import Numerics
import Testing

@testable import Loading
@testable import Model

/// Activations rounded to FP8 before products with FP8 weights.
@Suite(.serialized) struct ActivationsTests {
    private func load(
        _ oracle: Oracle, _ device: DeviceChoice, _ activations: ActivationFormat, check: Bool = false
    ) throws -> LoadedModel {
        try ModelLoader.load(
            source: .folder(try oracle.folder()), device: device,
            options: LoadOptions(contextTokens: 64, activations: activations, check: check))
    }

    /// Every kernel beside its reference; tokens in a prefill and after it, with scales of both kinds.
    @Test(arguments: [Oracle.v3FP8, .v3Ragged, .kimiK2UE8M0])
    func deviceAndReferenceAgree(_ oracle: Oracle) throws {
        let model = try load(oracle, .vulkan(nil), .fp8, check: true)
        #expect(model.config.hasPowerOfTwoScales == (oracle == .kimiK2UE8M0))
        let sequence = try model.makeSequence()
        _ = try model.step(.prefill, [StepItem(sequence: sequence, tokens: [5, 9, 200], rows: .last(1))])
        _ = try model.step(.decode, [StepItem(sequence: sequence, tokens: [7], rows: .last(1))])
    }

    /// Three bits of fraction: near what full activations give, and not the same; what no FP8 weight takes is left alone.
    @Test func theyAreRoundedAndTheModelStaysWhatItIs() throws {
        let tokens: [Int32] = [5, 9, 300, 7, 1, 2, 3, 4]
        let traces = try [ActivationFormat.f32, .fp8].map {
            try load(.v3FP8, .cpu, $0).trace(tokens, chunk: nil)
        }
        let distance = similarityDistance(traces[1].logits, traces[0].logits)
        #expect(distance > 1e-6 && distance < 0.05, "\(distance)")
        #expect(traces[0].hidden[0] == traces[1].hidden[0])
    }

    /// Whether keys and values are expanded (a prefill) or not (token by token) is no one's to see.
    @Test func tokensDoNotDependOnChunks() throws {
        let model = try load(.v3FP8, .cpu, .fp8)
        let tokens: [Int32] = [5, 9, 300, 7, 1, 2, 3, 4]
        let distance = similarityDistance(
            try model.trace(tokens, chunk: 1).logits, try model.trace(tokens, chunk: nil).logits)
        #expect(distance < 1e-4, "\(distance)")
    }

    @Test func theyAreInThePlanOfMemory() throws {
        let checkpoint = try Checkpoint(.folder(try Oracle.v3FP8.folder()))
        let plan = try MemoryPlanner(checkpoint, kvFormat: .f32, activations: .fp8, predicts: true)
            .plan(contextLength: 64)
        let model = try load(.v3FP8, .cpu, .fp8)
        let sequence = try model.makeSequence()
        _ = try model.step(
            .prefill, [StepItem(sequence: sequence, tokens: Array(repeating: 1, count: 63), rows: .last(1))])
        _ = try model.step(.decode, [StepItem(sequence: sequence, tokens: [7], rows: .last(1))])
        #expect(model.scratch.byteCount == plan.scratch)
    }

    @Test func aCheckpointWithoutFP8IsRefused() throws {
        #expect {
            _ = try load(.v2BF16, .cpu, .fp8)
        } throws: {
            guard case ModelError.option("activations", _, "fp8") = $0 else { return false }
            return true
        }
    }
}
