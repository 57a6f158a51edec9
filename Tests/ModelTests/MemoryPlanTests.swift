import Checkpoint
import FixtureSupport
import GPU
import Testing

@testable import Model

struct MemoryPlanTests {
    let gigabyte = 1 << 30

    /// The plan is what loading and the largest steps then really allocate.
    @Test(arguments: Oracle.allCases, [LoadOptions.CacheFormat.f32, .bf16])
    func thePlanIsWhatIsAllocated(_ oracle: Oracle, _ format: LoadOptions.CacheFormat) throws {
        let source = CheckpointSource.folder(try oracle.folder())
        let checkpoint = try Checkpoint(source)
        let plan = try MemoryPlanner(checkpoint, kvFormat: format, predicts: checkpoint.hasMTP)
            .plan(contextLength: 300)
        let model = try ModelLoader.load(
            source: source, device: .cpu, options: LoadOptions(contextTokens: 300, kvFormat: format))
        #expect(model.executor.byteCount == plan.weights + plan.cache)

        let sequence = try model.makeSequence()
        _ = try model.step(
            .prefill, [StepItem(sequence: sequence, tokens: Array(repeating: 1, count: 256), output: .last)])
        #expect(model.executor.byteCount <= plan.total)
        // The rest is for the partial results of 256 sequences' decode.
        #expect(model.executor.byteCount - plan.weights - plan.cache > plan.scratch / 3)
    }

    @Test func theModuleThatPredictsIsCounted() throws {
        let checkpoint = try Checkpoint(.folder(try Oracle.v3FP8.folder()))
        let plans = try [true, false].map { (predicts) throws in
            try MemoryPlanner(checkpoint, kvFormat: .f32, predicts: predicts).plan(contextLength: 64)
        }
        #expect(plans[0].weights > plans[1].weights && plans[0].cache > plans[1].cache)
    }

    @Test func whatDoesNotFitIsRefusedWithWhatWould() {
        let plan = MemoryPlan(weights: 10 * gigabyte, cache: 2 * gigabyte, scratch: gigabyte, contextLength: 1 << 17)
        let card = MemoryPlan.Place(choice: "0", name: "Card", budget: 12 * gigabyte)
        let large = MemoryPlan.Place(choice: "1", name: "Large card", budget: 80 * gigabyte)
        let host = MemoryPlan.Place(choice: "cpu", name: "the host's memory", budget: 8 * gigabyte)
        let shortage = plan.shortage(at: card, others: [large, host], largestContext: 65536)
        #expect(shortage.roomierPlaces == [large] && shortage.largestContext == 65536)
        #expect(
            shortage.description
                == "the model does not fit on Card: expected at most 12 GiB, found 13 GiB (weights 10 GiB, cache for 131072 "
                + "tokens 2 GiB, intermediate values 1 GiB)")
        let small = MemoryPlan.Place(choice: "0", name: "Small card", budget: 4 * gigabyte)
        let none = plan.shortage(at: small, others: [card, host], largestContext: 0)
        #expect(none.roomierPlaces.isEmpty && none.largestWeights == gigabyte)
    }

    /// The longest context that is said to fit does fit, and the next longer one does not.
    @Test func theLargestContextIsTheLargest() throws {
        let planner = try MemoryPlanner(Checkpoint(.folder(try Oracle.v3FP8.folder())), kvFormat: .bf16, predicts: true)
        let budget = try planner.plan(contextLength: 1024).total
        let context = try planner.largestContext(within: budget, below: 4096)
        #expect(context >= 1024 && context % 64 == 0)
        #expect(try planner.plan(contextLength: context).total <= budget)
        #expect(try planner.plan(contextLength: context + 64).total > budget)
        #expect(try planner.largestContext(within: 1000, below: 4096) == 0)
    }

    /// Six million positions of 320 F32 values are more than any device binds (4 GiB): refused by the config alone.
    @Test func aCacheBeyondOneBindingIsRefused() throws {
        let folder = try TemporaryCheckpoint(.v3FP8) { config in
            config["max_position_embeddings"] = 8_000_000
        }
        #expect {
            _ = try ModelLoader.load(
                source: .folder(folder.path), device: .vulkan(nil), options: LoadOptions(contextTokens: 6_000_000))
        } throws: {
            guard case ModelError.option("context", let expected, "6000000") = $0 else { return false }
            return expected.hasPrefix("at most ") && expected.contains("with a cache in f32")
        }
    }

    @Test func aCacheBeyondTheMemoryIsRefusedWithAContextThatFits() throws {
        let folder = try TemporaryCheckpoint(.v3FP8) { config in
            config["max_position_embeddings"] = 1 << 30
        }
        #expect {
            _ = try ModelLoader.load(
                source: .folder(folder.path), device: .cpu, options: LoadOptions(contextTokens: 1 << 30))
        } throws: {
            guard case ModelError.doesNotFit(let shortage) = $0 else { return false }
            return shortage.place.choice == "cpu" && shortage.total > shortage.place.budget
                && shortage.contextLength == 1 << 30 && shortage.largestContext > 0
        }
    }

    // MARK: What inspect says

    /// The longest context that is said to fit does; without the module that predicts where only that fits.
    @Test(arguments: [LoadOptions.CacheFormat.f32, .bf16])
    func aDevicesPlanSaysWhatFits(_ format: LoadOptions.CacheFormat) throws {
        let checkpoint = try Checkpoint(.folder(try Oracle.v3FP8.folder()))
        let most = checkpoint.config.maxPositionEmbeddings
        func option(_ budget: Int) throws -> DevicePlan.Option {
            let place = MemoryPlan.Place(choice: "0", name: "Card", budget: budget)
            let plan = try DevicePlan(checkpoint, at: place)
            #expect(plan.choice == "0" && plan.name == "Card" && plan.budget == budget && plan.options.count == 2)
            return try #require(plan.options.first { $0.kvFormat == format })
        }
        func total(_ context: Int, _ predicts: Bool) throws -> Int {
            try MemoryPlanner(checkpoint, kvFormat: format, predicts: predicts).plan(contextLength: context).total
        }
        let (whole, smallest) = (try total(most, true), try total(64, false))
        let all = try option(whole)
        #expect(all.largestContext == most && all.predicts && all.total == whole)
        let some = try option(whole - 1)
        #expect(some.predicts && some.largestContext < most && some.largestContext % 64 == 0)
        #expect(try total(some.largestContext, true) < whole)
        #expect(try total(min(some.largestContext + 64, most), true) >= whole)
        let least = try option(smallest)
        #expect(!least.predicts && least.largestContext == 64)
        let none = try option(smallest - 1)
        #expect(none.largestContext == 0 && none.contextLength == min(most, 4096) && none.total > smallest)
    }

    /// What a device binds at once bounds the context.
    @Test func aLayersCacheIsOneBinding() throws {
        let folder = try TemporaryCheckpoint(.v3FP8) { $0["max_position_embeddings"] = 1 << 30 }
        let config = try Checkpoint(.folder(folder.path)).config
        let profile = try #require(try Device.available().first)
        let most = ModelLoader.largestContext(config, .bf16, profile)
        let entry = 2 * (config.kvLoraRank + config.qkRopeHeadDim)
        #expect(most * entry <= profile.maxStorageBufferRange && (most + 64) * entry > profile.maxStorageBufferRange)
        #expect(ModelLoader.largestContext(config, .bf16, nil) == 1 << 30)
    }
}
