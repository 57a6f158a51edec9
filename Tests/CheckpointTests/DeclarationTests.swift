import FixtureSupport
import Numerics
import Testing

@testable import Checkpoint

@Suite struct DeclarationTests {
    private static let models = ModelConfig.knownNames

    /// The dimension that DeepSeek's convert.py splits a module's matrix in; nil for modules that it copies. Experts are dealt
    /// out whole.
    private static let convertedDimensions: [String: Int?] = [
        "embed_tokens": 0, "input_layernorm": nil, "post_attention_layernorm": nil, "q_proj": 0, "q_a_proj": nil,
        "q_a_layernorm": nil, "q_b_proj": 0, "kv_a_proj_with_mqa": nil, "kv_a_layernorm": nil, "kv_b_proj": 0,
        "o_proj": 1, "gate": nil, "gate_proj": 0, "down_proj": 1, "up_proj": 0, "norm": nil, "lm_head": 0,
        // Of the prediction layer, which convert.py leaves out.
        "enorm": nil, "hnorm": nil, "eh_proj": nil, "head": 0,
    ]

    @Test(arguments: models) func splitsAreThoseOfDeepSeek(model: String) throws {
        let split = try RankSplit(WeightList(Self.config(model, predicts: true), hasMTP: true), count: 4)
        for weight in split.weights {
            let share = split.share(weight)
            if case .layer(_, .expert(let expert, _)) = weight.role {
                let own = split.weights.config.nRoutedExperts / 4
                #expect(share == .owned(by: expert / own), "\(weight.name)")
                continue
            }
            let module = weight.name.split(separator: ".").last { $0 != "weight" && $0 != "e_score_correction_bias" }
            let dimension = try #require(Self.convertedDimensions[String(module ?? "")], "\(weight.name)")
            #expect(share == dimension.map { .dimension($0) } ?? .whole, "\(weight.name)")
        }
    }

    private static func config(_ model: String, predicts: Bool = false) throws -> ModelConfig {
        var config = try #require(try ModelConfig.known(model))
        config.numNextnPredictLayers = predicts ? 1 : 0
        return config
    }

    /// `find` returns the weight for its name and for the names of its scales.
    @Test(arguments: models) func namesLeadBack(model: String) throws {
        let weights = WeightList(try Self.config(model, predicts: true), hasMTP: true)
        #expect(Set(weights.map(\.name)).count == weights.count)
        for weight in weights {
            #expect(weights[weight.role] == weight)
            for component in WeightComponent.allCases where weight.isMatrix || component == .elements {
                let name = weights.names.name(of: component, of: weight.name)
                let found = try #require(weights.find(name), "\(name)")
                #expect(found.weight.role == weight.role && found.component == component)
            }
        }
        for name in [
            "", ".weight", "_scale_inv", "model.layers.0.self_attn.o_proj",
            "model.layers.0.self_attn.o_proj.weight_scales",
            "model.layers.99.input_layernorm.weight", "model.layers.0.self_attn.rotary_emb.inv_freq",
        ] { #expect(weights.find(name) == nil, "\(name)") }
    }

    /// DeepSeek-V3's files hold 91,991 tensors: the weights, and block scales for the FP8 weights.
    @Test func v3HasAsManyTensorsAsPublished() throws {
        let weights = WeightList(try Self.config("v3", predicts: true), hasMTP: true)
        #expect(weights.count + weights.count { $0.isQuantisable } == 91_991)
        #expect(weights.count { $0.isOptional } == 2)
    }

    @Test func theLatentIsStackedBelowTheQuery() throws {
        for (model, upper) in [("v3", LayerRole.queryA), ("v2-lite", .query)] {
            let weights = WeightList(try Self.config(model), hasMTP: false)
            #expect(weights[.layer(1, .kvA)]?.stacking == .below(upper))
            #expect(weights[.layer(1, upper)]?.shape[1] == weights[.layer(1, .kvA)]?.shape[1])
            #expect(weights.allSatisfy { ($0.stacking == .bank) == ($0.split == .experts) })
        }
    }

    @Test func productsOfV3() throws {
        let products = WeightList(try Self.config("v3"), hasMTP: false).products
        let texts = products.map { "\($0.name) \($0.columns) to \($0.rows)\($0.isQuantisable ? "" : " plain")" }
        #expect(
            texts == [
                "q_a_proj+kv_a_proj_with_mqa 7168 to 2112", "q_b_proj 1536 to 24576", "o_proj 16384 to 7168",
                "gate_proj 7168 to 18432", "down_proj 18432 to 7168", "router 7168 to 256 plain",
                "shared_gate_proj 7168 to 2048", "shared_down_proj 2048 to 7168", "lm_head 7168 to 129280 plain",
            ])
        #expect(products[0].roles == [.layer(0, .queryA), .layer(0, .kvA)] && products[8].roles == [.head])
    }

    @Test func productsWithoutACompressedQuery() throws {
        let products = WeightList(try Self.config("v2-lite"), hasMTP: false).products
        #expect(products[0].name == "q_proj+kv_a_proj_with_mqa" && products[0].rows == 16 * 192 + 576)
        #expect(products[1].name == "o_proj" && products.count == 8)
    }

    /// 160 columns in groups of 128: two ranks of 80 columns would each need parts of the first group.
    @Test func aLastGroupThatIsNotFullIsNotShared() throws {
        let source = try PackedCheckpoint(.moonlightBF16, GroupScaling(bits: 8, groupSize: 128)) {
            $0 == "model.layers.0.mlp.down_proj.weight"
        }
        #expect {
            _ = try ConversionPlan(
                ConversionSource(folder: source.packed.path), ConversionOptions(rankCount: 2))
        } throws: {
            "\($0)".contains(
                "down_proj.weight_scale: expected groups of equal size to share among 2 ranks, found 2 groups of 160")
        }
    }

    /// Parts of rows, read one by one.
    @Test func aSliceIsItsRowsAndColumns() throws {
        let tiny = try TinyCheckpoint()
        let checkpoint = try tiny.open()
        let tensor = try #require(checkpoint["model.embed_tokens.weight"])
        try #require(tensor.shape == [8, 16] && tensor.type == .bf16)
        let bytes = TinyCheckpoint.bytes(tensor.name, tensor.shape, tensor.type)
        let slice = TensorSlice(tensor, rows: 2..<7, columns: 3..<9).rows(from: 1, count: 3)
        #expect(slice.rows == 3..<6 && !slice.hasWholeRows && slice.byteCount == 36)
        var found = [UInt8](repeating: 0, count: slice.byteCount)
        try found.withUnsafeMutableBytes { try checkpoint.read(slice, into: $0) }
        let expected: [UInt8] = (3..<6).flatMap { row -> ArraySlice<UInt8> in bytes[row * 32 + 6..<row * 32 + 18] }
        #expect(found == expected)
    }
}
