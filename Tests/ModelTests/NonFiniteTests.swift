import Checkpoint
import FixtureSupport
import Testing

@testable import Loading
@testable import Model

/// NaN and infinity: in a file an error with tensor and position, in a step one with the layer.
@Suite(.serialized) struct NonFiniteTests {
    struct Spot: Sendable, CustomTestStringConvertible {
        var oracle: Oracle
        var tensor: String
        var offset: Int
        var bytes: [UInt8]
        /// What is said of it.
        var place: String
        var testDescription: String { "\(tensor) \(place)" }
    }

    /// Rows of o_proj are 256 bytes, of the ragged down_proj 72 (padded in memory), of the router 512.
    static let spots = [
        Spot(
            oracle: .v3FP8, tensor: "model.layers.1.self_attn.o_proj.weight", offset: 3 * 256 + 5, bytes: [0x7F],
            place: "(F8_E4M3) at [3, 5]"),
        Spot(
            oracle: .v3FP8, tensor: "model.layers.1.self_attn.o_proj.weight", offset: 0, bytes: [0xFF],
            place: "(F8_E4M3) at [0, 0]"),
        Spot(
            oracle: .v3FP8, tensor: "model.layers.2.mlp.experts.7.down_proj.weight", offset: 255 * 128 + 127,
            bytes: [0xFF], place: "(F8_E4M3) at [255, 127]"),
        Spot(
            oracle: .v3Ragged, tensor: "model.layers.1.mlp.experts.4.down_proj.weight", offset: 200 * 72 + 71,
            bytes: [0x7F], place: "(F8_E4M3) at [200, 71]"),
        Spot(
            oracle: .v3FP8, tensor: "model.layers.3.self_attn.o_proj.weight", offset: 256, bytes: [0x7F],
            place: "(F8_E4M3) at [1, 0]"),
        Spot(
            oracle: .v3FP8, tensor: "model.layers.1.mlp.gate.weight", offset: 2 * 512 + 2 * 9, bytes: [0xC0, 0x7F],
            place: "(BF16) at [2, 9]"),
        Spot(
            oracle: .v3FP8, tensor: "model.embed_tokens.weight", offset: 511 * 512, bytes: [0x80, 0xFF],
            place: "(BF16) at [511, 0]"),
        Spot(
            oracle: .v3FP8, tensor: "model.norm.weight", offset: 2 * 11, bytes: [0x80, 0x7F], place: "(BF16) at [0, 11]"
        ),
        Spot(
            oracle: .v3FP8, tensor: "model.layers.0.self_attn.o_proj.weight_scale_inv", offset: 4,
            bytes: [0, 0, 0x80, 0x7F], place: "(F32) at [0, 1]"),
        Spot(
            oracle: .kimiK2UE8M0, tensor: "model.layers.0.self_attn.o_proj.weight_scale_inv", offset: 0, bytes: [0xFF],
            place: "(F8_E8M0) at [0, 0]"),
    ]

    @Test(arguments: spots, ["cpu", "vulkan"])
    func inAWeightItIsALoadErrorWithItsPosition(_ spot: Spot, _ device: String) throws {
        let copy = try TemporaryCheckpoint(spot.oracle)
        try copy.overwrite(spot.tensor, at: spot.offset, with: spot.bytes)
        #expect {
            _ = try ModelLoader.load(
                source: .folder(copy.path), device: DeviceChoice(device == "cpu" ? "cpu" : nil),
                options: LoadOptions(contextTokens: 64))
        } throws: { error in
            "\(error)"
                == "\(spot.tensor): expected finite weights, found NaN or infinity \(spot.place); the file is damaged: download it again"
        }
    }

    /// Block scales so large that products overflow, in one layer: it is the layer that is named, whatever the layers
    /// after it make of its infinities.
    @Test(arguments: ["cpu", "vulkan"], [0, 1, 2])
    func inAStepTheLayerIsNamed(_ device: String, _ layer: Int) throws {
        for (tensor, scales) in [
            ("self_attn.o_proj.weight_scale_inv", 4), ("mlp.experts.*.down_proj.weight_scale_inv", 2),
        ] {
            let copy = try TemporaryCheckpoint(.v3FP8)
            let names =
                tensor.contains("*") && layer > 0
                ? (0..<8).map { tensor.split(separator: "*").joined(separator: "\($0)") }
                : [tensor.contains("*") ? "mlp.down_proj.weight_scale_inv" : tensor]
            for name in names {
                try copy.overwrite(
                    "model.layers.\(layer).\(name)", at: 0,
                    with: Array(repeating: Self.huge, count: scales).flatMap { $0 })
            }
            try expectFault("layer \(layer)", copy, device)
        }
    }

    @Test(arguments: ["cpu", "vulkan"])
    func afterTheLayersTheHeadIsNamed(_ device: String) throws {
        let copy = try TemporaryCheckpoint(.v3FP8)
        // 3.3e38 in BF16, for every element of a vocabulary entry.
        try copy.overwrite(
            "lm_head.weight", at: 100 * 512, with: Array(repeating: [0x78, 0x7F], count: 256).flatMap { $0 })
        try expectFault("the head", copy, device)
    }

    /// The model's own logits are in order: only a trace, which computes the prediction, sees the fault.
    @Test(arguments: ["cpu", "vulkan"])
    func theMultiTokenPredictionIsNamed(_ device: String) throws {
        let copy = try TemporaryCheckpoint(.v3FP8)
        try copy.overwrite(
            "model.layers.3.self_attn.o_proj.weight_scale_inv", at: 0,
            with: Array(repeating: Self.huge, count: 4).flatMap { $0 })
        let model = try load(copy, device)
        let sequence = try model.makeSequence()
        _ = try model.step(.prefill, [StepItem(sequence: sequence, tokens: [1, 2], rows: .all)])
        model.release(sequence)
        #expect(throws: ModelError.notFinite(place: "the multi-token prediction")) {
            try model.trace([1, 2, 3], chunk: nil)
        }
        // A fault before it is not blamed on it.
        try copy.overwrite(
            "model.layers.1.self_attn.o_proj.weight_scale_inv", at: 0,
            with: Array(repeating: Self.huge, count: 4).flatMap { $0 })
        let both = try load(copy, device)
        #expect(throws: ModelError.notFinite(place: "layer 1")) { try both.trace([1, 2, 3], chunk: nil) }
    }

    /// 3e38 in F32.
    private static let huge = withUnsafeBytes(of: Float(3e38).bitPattern.littleEndian) { Array($0) }

    private func load(_ copy: TemporaryCheckpoint, _ device: String) throws -> LoadedModel {
        try ModelLoader.load(
            source: .folder(copy.path), device: DeviceChoice(device == "cpu" ? "cpu" : nil),
            options: LoadOptions(contextTokens: 64))
    }

    /// In prefill and decode, with all logits or the best token alone; the sequence stays as it was.
    private func expectFault(_ place: String, _ copy: TemporaryCheckpoint, _ device: String) throws {
        let model = try load(copy, device)
        let sequence = try model.makeSequence()
        for (phase, tokens) in [(StepPhase.prefill, [5, 9, 300]), (.decode, [Int32(7)])] {
            for output in [Output.last, .all, .best(among: 512)] {
                #expect(throws: ModelError.notFinite(place: place), "\(phase), \(output)") {
                    try model.step(phase, [StepItem(sequence: sequence, tokens: tokens, output: output)])
                }
                #expect(model.tokenCount(of: sequence) == 0)
            }
        }
    }
}
