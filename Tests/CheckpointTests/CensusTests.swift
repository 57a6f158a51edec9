import Checkpoint
import FixtureSupport
import Numerics
import Testing

@Suite struct CensusTests {
    /// Published numbers of parameters, in billions: all of them, and the active ones per token.
    @Test(arguments: [
        ("v3", 671.0, 36.6), ("v2-lite", 15.7, 2.5), ("moonlight", 16.0, 2.6), ("kimi-k2", 1026.4, 31.7),
    ])
    func countsAreThePublishedOnes(model: String, total: Double, active: Double) throws {
        let config = try #require(try ModelConfig.known(model))
        let census = ModelCensus(WeightList(config, hasMTP: false), [:])
        #expect((Double(census.parameterCount) / 1e8).rounded() == total * 10, "\(census.parameterCount)")
        #expect((Double(census.activeParameterCount) / 1e8).rounded() == active * 10, "\(census.activeParameterCount)")
        #expect(census.byteCount == 0 && census.formats.isEmpty)
    }

    @Test func v3sCacheTakes70KBAToken() throws {
        let config = try #require(try ModelConfig.known("v3"))
        #expect(config.cacheByteCount(elementByteCount: 2) == 70_272)
    }

    /// The parts add up to all bytes and parameters of the files.
    @Test(arguments: Oracle.allCases) func partsMakeTheWhole(oracle: Oracle) throws {
        let checkpoint = try Checkpoint(.folder(try oracle.folder()))
        let census = ModelCensus(checkpoint.weights, checkpoint.tensors)
        let tensors = checkpoint.tensors.values
        #expect(census.byteCount == tensors.reduce(0) { $0 + $1.byteCount })
        #expect(census.formats.reduce(0) { $0 + $1.byteCount } == census.byteCount)
        #expect(census.formats.reduce(0) { $0 + $1.tensorCount } == tensors.count)
        let weights = tensors.filter { !$0.name.hasSuffix("_scale_inv") }
        #expect(
            census.shares.values.reduce(0) { $0 + $1.parameterCount } == weights.reduce(0) { $0 + $1.elementCount })
        for part in ModelCensus.Part.allCases {
            let share = try #require(census.shares[part])
            #expect((share.parameterCount > 0) == (share.byteCount > 0), "\(part)")
        }
        let prediction = "layers.\(checkpoint.config.numHiddenLayers)."
        func bytes(_ part: String, without other: String = " ") -> Int {
            tensors.filter { $0.name.contains(part) && !$0.name.contains(prediction) && !$0.name.contains(other) }
                .reduce(0) { $0 + $1.byteCount }
        }
        #expect(census.shares[.routedExperts]?.byteCount == bytes(".experts."))
        #expect(census.shares[.sharedExperts]?.byteCount == bytes(".shared_experts."))
        #expect(census.shares[.router]?.byteCount == bytes(".gate."))
        #expect(census.shares[.attention]?.byteCount == bytes(".self_attn.", without: "norm."))
        #expect(census.shares[.norms]?.byteCount == bytes("norm."))
        #expect(census.activeParameterCount < census.parameterCount)
    }

    /// Tensors with unknown names count once.
    @Test func unknownNames() throws {
        let config = try #require(try ModelConfig.known("v3"))
        let names = [
            "", ".", "..", "model.layers.", "model.layers.0", "model.layers.0.", "model.layers.x.mlp.experts.",
        ]
        let tensors = names.map { ($0, TensorInfo(name: $0, type: .u8, shape: [2, 3])) }
        let census = ModelCensus(
            WeightList(config, hasMTP: false), Dictionary(uniqueKeysWithValues: tensors))
        #expect(census.byteCount == 6 * names.count)
    }

    /// A model without a separate head multiplies with its embedding, which is then active.
    @Test func aTiedEmbeddingIsActive() throws {
        var tiny = try TinyCheckpoint(["tie_word_embeddings": true])
        let own = try tiny.open()
        tiny.tensors["lm_head.weight"] = nil
        let tied = try tiny.open()
        func active(_ checkpoint: Checkpoint) -> Int {
            ModelCensus(checkpoint.weights, checkpoint.tensors).activeParameterCount
        }
        // The embedding is [8, 16]. With a separate head, one row of it is active in addition.
        #expect(active(own) == active(tied) + 16)
    }
}
