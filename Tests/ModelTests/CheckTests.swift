import Checkpoint
import FixtureSupport
import GPU
import Kernels
import Testing

@testable import Loading
@testable import Model

/// `--check`: device and reference side by side over the real model, and the error where they differ.
@Suite(.serialized) struct CheckTests {
    private func load() throws -> LoadedModel {
        try ModelLoader.load(
            source: .folder(try Oracle.v3FP8.folder()), device: .vulkan(nil),
            options: LoadOptions(contextTokens: 64, check: true))
    }

    private func prefillAndDecode(_ model: LoadedModel) throws {
        let sequence = try model.makeSequence()
        _ = try model.step(.prefill, [StepItem(sequence: sequence, tokens: [5, 9, 300], rows: .last(1))])
        _ = try model.step(.decode, [StepItem(sequence: sequence, tokens: [7], rows: .last(1))])
    }

    @Test func agreementPasses() throws { try prefillAndDecode(load()) }

    /// Another value on the device's side of a weight, so that the one kernel that reads it gives another result there.
    struct Fault: Sendable, CustomTestStringConvertible {
        var weight: @Sendable (ModelWeights) -> Tensor
        var place: String
        var testDescription: String { place }

        static func experts(_ weights: ModelWeights, _ layer: Int) -> ExpertWeights {
            guard case .experts(let experts) = weights.layers[layer].feedForward else { preconditionFailure("dense") }
            return experts
        }
    }

    static let faults = [
        Fault(weight: { $0.embedding.codes }, place: "the embedding: kernel gather"),
        Fault(weight: { $0.layers[0].inputNorm }, place: "layer 0: kernel rms_norm"),
        Fault(weight: { $0.layers[1].attention.output.codes }, place: "layer 1: kernel linear"),
        Fault(weight: { $0.layers[2].attention.kvANorm }, place: "layer 2: kernel kv_cache_append"),
        Fault(weight: { $0.layers[1].attention.kvB.codes }, place: "layer 1: kernel linear"),
        Fault(weight: { Fault.experts($0, 2).bias! }, place: "layer 2: kernel expert_gate"),
        Fault(weight: { Fault.experts($0, 1).down.parts[0].weight.codes }, place: "layer 1: kernel grouped_linear"),
        Fault(weight: { $0.finalNorm }, place: "the head: kernel rms_norm"),
        Fault(weight: { $0.head.codes }, place: "the head: kernel linear"),
    ]

    @Test(arguments: faults) func theKernelThatPartsIsNamedWithItsLayer(_ fault: Fault) throws {
        let model = try load()
        let tensor = fault.weight(model.transformer.weights)
        var transfer = Transfer(on: try #require(model.device))
        // 0x40 in every byte: a number in FP8 (2), BF16 and F32 (3), and another than is there.
        try transfer.upload(to: tensor.view) { (_, bytes: UnsafeMutableRawBufferPointer) throws(Never) in
            bytes.initializeMemory(as: UInt8.self, repeating: 0x40)
        }
        try transfer.finish()
        #expect {
            try prefillAndDecode(model)
        } throws: {
            guard case ModelError.disagreement(let place, let kernel, let failure) = $0 else { return false }
            return "\(place): kernel \(kernel)" == fault.place && failure.contains("expected")
        }
    }

    static let decodeFaults = [
        Fault(
            weight: { Fault.experts($0, 2).up.parts[0].weight.codes }, place: "layer 2: kernel expert_gate_up"),
        Fault(weight: { $0.layers[1].attention.kvB.codes }, place: "layer 1: kernel mla_query"),
    ]

    @Test(arguments: decodeFaults) func decodesOwnKernelsAreCheckedToo(_ fault: Fault) throws {
        let model = try load()
        let sequence = try model.makeSequence()
        _ = try model.step(.prefill, [StepItem(sequence: sequence, tokens: [5, 9, 300], rows: .last(1))])
        var transfer = Transfer(on: try #require(model.device))
        try transfer.upload(to: fault.weight(model.transformer.weights).view) {
            (_, bytes: UnsafeMutableRawBufferPointer) throws(Never) in
            bytes.initializeMemory(as: UInt8.self, repeating: 0x40)
        }
        try transfer.finish()
        #expect {
            _ = try model.step(.decode, [StepItem(sequence: sequence, tokens: [7], rows: .last(1))])
        } throws: {
            guard case ModelError.disagreement(let place, let kernel, _) = $0 else { return false }
            return "\(place): kernel \(kernel)" == fault.place
        }
        #expect(model.tokenCount(of: sequence) == 3)
    }
}
