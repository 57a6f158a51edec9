import Checkpoint
import GPU
import Kernels
import Testing

@testable import Loading
@testable import Model

/// Models without files: true shapes, the same random weights wherever they are made.
struct SyntheticTests {
    private func small(_ format: SyntheticModel.Format) throws -> SyntheticModel {
        let config = try #require(try ModelConfig.known("small"))
        return SyntheticModel(
            name: "small",
            config: config.resized(
                layers: 3, experts: nil, isFP8: format == .fp8, integers: format.integers))
    }

    private let tokens = (0..<48).map { Int32($0 &* 977 % 8192) }

    private func load(_ model: SyntheticModel, _ device: DeviceChoice, check: Bool = false) throws -> LoadedModel {
        try ModelLoader.load(
            synthetic: model, device: device, options: LoadOptions(contextTokens: 128, check: check))
    }

    @Test(arguments: SyntheticModel.Format.allCases)
    func deviceAndReferenceMakeTheSame(_ format: SyntheticModel.Format) throws {
        let model = try small(format)
        let traces = try [DeviceChoice.cpu, .vulkan(nil)].map { try load(model, $0).trace(tokens, chunk: nil) }
        let difference = zip(traces[0].logits, traces[1].logits).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        #expect(difference < 1e-3, "logits differ by \(difference)")
        // Neither fading nor growing, and the tokens spread over the experts.
        let size = traces[0].logits.reduce(0.0) { $0 + Double($1 * $1) } / Double(traces[0].logits.count)
        #expect(size.squareRoot() > 0.3 && size.squareRoot() < 3)
        for routing in traces[1].routing { #expect(Set(routing.experts).count >= 12, "layer \(routing.layer)") }
    }

    @Test func theyCanBeChecked() throws {
        let model = try load(small(.fp8), .vulkan(nil), check: true)
        let sequence = try model.makeSequence()
        _ = try model.step(.prefill, [StepItem(sequence: sequence, tokens: Array(tokens.prefix(5)), rows: .last(1))])
        _ = try model.step(.decode, [StepItem(sequence: sequence, tokens: [1], rows: .last(1))])
    }

    @Test func shapesAreTheModelsOwn() throws {
        let moonlight = try SyntheticModel(.moonlight, format: .bf16).config
        #expect(moonlight.numHiddenLayers == 27 && moonlight.nRoutedExperts == 64 && !moonlight.isFP8)
        // 15.96 billion, as published.
        let elements = WeightList(moonlight, hasMTP: false).reduce(0) { $0 + $1.shape.reduce(1, *) }
        #expect(elements == 15_960_110_208)

        let v3 = try SyntheticModel(.v3Slice, format: .fp8)
        #expect(v3.config.hiddenSize == 7168 && v3.config.numAttentionHeads == 128 && v3.config.isFP8)
        #expect(v3.config.numHiddenLayers == 4 && v3.config.firstKDenseReplace == 1 && v3.config.nRoutedExperts == 32)
        #expect(v3.config.nGroup == 8 && v3.config.topkGroup == 4 && v3.config.numExpertsPerTok == 8)
        #expect(v3.name == "v3-slice, synthetic: 4 of 61 layers (1 dense), 32 of 256 experts (8 a token), fp8")
        #expect(try SyntheticModel(.kimiSlice, format: .fp8).config.numAttentionHeads == 64)
    }

    /// Groups and choice shrink with the experts, so that the gate still has what it chooses from.
    @Test func fewExpertsMakeFewGroups() throws {
        for (experts, groups, kept, chosen) in [
            (256, 8, 4, 8), (16, 8, 4, 8), (12, 6, 3, 6), (4, 2, 1, 2), (3, 1, 1, 3),
        ] {
            let config = try SyntheticModel(.v3Slice, layers: 1, experts: experts, format: .fp8).config
            #expect(config.nGroup == groups && config.topkGroup == kept && config.numExpertsPerTok == chosen)
            #expect(config.firstKDenseReplace == 0)
        }
    }

    @Test func whatDoesNotFitIsRefused() throws {
        let whole = try SyntheticModel(.v3Slice, layers: 61, experts: 256, format: .bf16)
        do {
            _ = try load(whole, .vulkan(nil))
            Issue.record("1.3 TB fitted")
        } catch { if case ModelError.doesNotFit = error {} else { Issue.record("\(error)") } }
    }
}
