import Checkpoint
import FixtureSupport
import Foundation
import Numerics
import Program
import Testing

@testable import Loading
@testable import Model

/// Models with packed integers for weights, against the reference with the values that these stand for.
@Suite(.serialized) struct IntegerWeightsTests {
    /// All group sizes of both; ragged shapes, a compressed query and none, with and without shared experts' own format.
    static let checkpoints: [(Oracle, GroupScaling)] = [
        (.v3Ragged, GroupScaling(bits: 4, groupSize: 32)), (.v3Ragged, GroupScaling(bits: 8, groupSize: 128)),
        (.v3FP8, GroupScaling(bits: 4, groupSize: 128)), (.v2BF16, GroupScaling(bits: 8, groupSize: 64)),
        (.v2LiteBF16, GroupScaling(bits: 8, groupSize: 32)), (.moonlightBF16, GroupScaling(bits: 4, groupSize: 64)),
    ]

    private func load(_ folder: TemporaryFolder, _ device: DeviceChoice, check: Bool = false) throws -> LoadedModel {
        try ModelLoader.load(
            source: .folder(folder.path), device: device, options: LoadOptions(contextTokens: 512, check: check))
    }

    /// The bounds are those of the oracles' own formats.
    private func compare(_ checkpoint: PackedCheckpoint, _ oracle: Oracle, _ device: String) throws {
        let tokens = try Expected(oracle).integers("tokens").map { Int32($0) }
        let bound = device == "cpu" ? 1e-9 : 1e-5
        let expected = try load(checkpoint.plain, .cpu)
        let found = try load(checkpoint.packed, device == "cpu" ? .cpu : .vulkan(nil))
        let traces = (try found.trace(tokens, chunk: nil), try expected.trace(tokens, chunk: nil))
        func expectSame(_ a: [Float], _ b: [Float], _ name: String) {
            let distance = similarityDistance(a, b)
            #expect(a.count == b.count && distance < bound, "\(name): \(distance)")
        }
        expectSame(traces.0.logits, traces.1.logits, "logits")
        if !traces.1.mtpLogits.isEmpty { expectSame(traces.0.mtpLogits, traces.1.mtpLogits, "mtp_logits") }
        for (layer, (a, b)) in zip(traces.0.hidden, traces.1.hidden).enumerated() {
            expectSame(a, b, "hidden \(layer)")
        }
        #expect(traces.0.routing.count == traces.1.routing.count && !traces.1.routing.isEmpty)
        for (a, b) in zip(traces.0.routing, traces.1.routing) {
            #expect(a.experts == b.experts, "layer \(a.layer)")
            expectSame(a.weights, b.weights, "router weights \(a.layer)")
        }

        // Decode has kernels of its own.
        let models = [found, expected]
        let sequences = try models.map { try $0.makeSequence() }
        var logits: [[Float]] = []
        for (model, sequence) in zip(models, sequences) {
            _ = try model.step(
                .prefill, [StepItem(sequence: sequence, tokens: Array(tokens.prefix(20)), rows: .none)])
            logits.append(
                try tokens[20..<24].flatMap { token in
                    try model.step(.decode, [StepItem(sequence: sequence, tokens: [token], rows: .last(1))])[0].logits
                })
        }
        expectSame(logits[0], logits[1], "logits of decode")
    }

    @Test(arguments: checkpoints, ["cpu", "vulkan"])
    func agreesWithItsValues(_ checkpoint: (Oracle, GroupScaling), _ device: String) throws {
        try compare(try PackedCheckpoint(checkpoint.0, checkpoint.1), checkpoint.0, device)
    }

    /// As in Kimi-K2-Thinking: routed experts in groups of 32 with scales in BF16, shared experts and all else in another format.
    @Test(arguments: ["cpu", "vulkan"])
    func routedExpertsAlone(_ device: String) throws {
        let checkpoint = try PackedCheckpoint(
            .kimiK2UE8M0, GroupScaling(bits: 4, groupSize: 32), scales: .bf16
        ) { $0.contains(".experts.") }
        try compare(checkpoint, .kimiK2UE8M0, device)
    }

    /// Every kernel beside its reference.
    @Test func theCheckRunsBothAndPasses() throws {
        let checkpoint = try PackedCheckpoint(.v3Ragged, GroupScaling(bits: 4, groupSize: 32))
        let model = try load(checkpoint.packed, .vulkan(nil), check: true)
        let sequence = try model.makeSequence()
        _ = try model.step(.prefill, [StepItem(sequence: sequence, tokens: [5, 9, 200], rows: .last(1))])
        _ = try model.step(.decode, [StepItem(sequence: sequence, tokens: [7], rows: .last(1))])
    }

    @Test func thePlanIsWhatIsAllocated() throws {
        let folders = try PackedCheckpoint(.v2BF16, GroupScaling(bits: 4, groupSize: 32))
        let checkpoint = try Checkpoint(.folder(folders.packed.path))
        let plan = try MemoryPlanner(checkpoint, kvFormat: .f32, predicts: checkpoint.hasMTP).plan(contextLength: 512)
        var last = LoadProgress(loadedByteCount: 0, totalByteCount: 0)
        let model = try ModelLoader.load(
            source: .folder(folders.packed.path), device: .cpu, options: LoadOptions(contextTokens: 512)
        ) { progress in
            last = progress
            return true
        }
        #expect(model.byteCount == plan.total)
        #expect(last.loadedByteCount == last.totalByteCount)
    }

    /// Two matrices as one: the rows of both, wherever the second begins; not of two formats.
    @Test func stackedMatricesKeepTheirRows() throws {
        let folders = try PackedCheckpoint(.v3Ragged, GroupScaling(bits: 8, groupSize: 64)) { !$0.contains("q_b_proj") }
        var loader = try WeightLoader(
            source: try Checkpoint(.folder(folders.packed.path)),
            memory: HostMemory())
        let roles = [LayerRole.queryA, .kvA, .queryB].map { WeightRole.layer(0, $0) }
        let (upper, lower) = (try loader.matrix(roles[0]), try loader.matrix(roles[1]))
        try #require(upper.format == .int8(64) && upper.rows % 128 != 0)
        let both = try #require(try loader.stacked(roles[0], roles[1])).weight
        for row in 0..<upper.rows { #expect(both.decodedRow(row) == upper.decodedRow(row)) }
        for row in 0..<lower.rows { #expect(both.decodedRow(upper.rows + row) == lower.decodedRow(row)) }
        #expect(try loader.stacked(roles[0], roles[2]) == nil)
    }

    /// The shape that a file tells of its packed matrix must be the config's.
    @Test func anotherShapeIsRefused() throws {
        let folders = try PackedCheckpoint(.v2BF16, GroupScaling(bits: 4, groupSize: 32))
        let name = "model.layers.0.self_attn.o_proj.weight_shape"
        try TemporaryCheckpoint.overwrite(name, at: 8, with: [7, 0], in: folders.packed.path)
        #expect {
            _ = try load(folders.packed, .cpu)
        } throws: {
            "\($0)".hasPrefix("\(name): expected [") && "\($0)".contains(", 7.0]")
        }
    }
}
