import Cache
import Checkpoint
import FixtureSupport
import GPU
import Numerics
@testable import Program
import Testing

@testable import Loading
@testable import Model

struct MemoryPlanTests {
    let gigabyte = 1 << 30

    /// Every byte that loading allocates was planned, and the largest steps allocate no more.
    @Test(arguments: Oracle.allCases, [CacheLayout.Format.f32, .bf16])
    func thePlanIsWhatIsAllocated(_ oracle: Oracle, _ format: CacheLayout.Format) throws {
        let checkpoint = try Checkpoint(.folder(try oracle.folder()))
        let options = LoadOptions(contextTokens: 512, kvFormat: format)
        let device = try Device.open()
        for device in [nil, device] {
            let plan = try MemoryPlanner(checkpoint, kvFormat: format, predicts: checkpoint.hasMTP, on: device)
                .plan(contextLength: 512)
            let model = try ModelLoader.load(checkpoint, on: device, options: options)
            #expect(model.byteCount == plan.total)
            guard let device else { continue }
            #expect(device.allocatedByteCount.current == plan.total)
            try runLargeSteps(model)
            #expect(model.scratch.byteCount == plan.scratch)
        }
    }

    /// Of published shapes, with few layers and experts.
    @Test(arguments: [SyntheticModel.Shape.v2Lite, .moonlight, .v3Slice])
    func aPublishedShapesPlanIsWhatIsAllocated(_ shape: SyntheticModel.Shape) throws {
        let model = try SyntheticModel(shape, layers: 2, experts: 8, format: .int4)
        let device = try Device.open()
        let source = SyntheticWeights(model)
        let plan = try MemoryPlanner(source, kvFormat: .bf16, predicts: false, on: device).plan(contextLength: 4096)
        let loaded = try ModelLoader.load(
            source, on: device, options: LoadOptions(contextTokens: 4096, kvFormat: .bf16))
        #expect(device.allocatedByteCount.current == plan.total && loaded.byteCount == plan.total)
    }

    private func runLargeSteps(_ model: LoadedModel) throws {
        func sequences(_ count: Int) throws -> [SequenceID] { try (0..<count).map { _ in try model.makeSequence() } }
        func tokens(_ count: Int) -> [Int32] { (0..<count).map { Int32($0 % 200) } }
        // Prompt rows in both forms with all logits, then decode rows at the context's end.
        let long = try sequences(1)[0]
        _ = try model.step(.prefill, [StepItem(sequence: long, tokens: tokens(500), rows: .all)])
        _ = try model.step(.decode, [StepItem(sequence: long, tokens: [1], rows: .last(1))])
        // A prompt beside it.
        model.truncate(long, to: 300)
        let other = try sequences(1)[0]
        _ = try model.collect(
            model.submit([
                StepItem(.decode, sequence: long, tokens: [7], rows: .last(1), kind: .best(among: 5)),
                StepItem(.prefill, sequence: other, tokens: tokens(140), rows: .all),
            ]))
        [long, other].forEach(model.release)
        let many = try sequences(8)
        _ = try model.step(.prefill, many.map { StepItem(sequence: $0, tokens: tokens(20), rows: .last(1)) })
        _ = try model.step(.decode, many.map { StepItem(sequence: $0, tokens: [3], rows: .last(1)) })
        many.forEach(model.release)
    }

    /// No step needs more than the largest ones, whatever its mixture, and slots that are live together never overlap.
    @Test(arguments: Oracle.allCases) func everyStepFitsThePlan(_ oracle: Oracle) throws {
        let checkpoint = try Checkpoint(.folder(try oracle.folder()))
        let device = try Device.open()
        let planner = try MemoryPlanner(checkpoint, kvFormat: .bf16, predicts: checkpoint.hasMTP, on: device)
        let plan = try planner.plan(contextLength: 2048)
        let transformer = try planner.transformer(contextLength: 2048).transformer
        let limits = StepLimits(transformer, contextLength: 2048)
        var random = SeededRandom(seed: 11)
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        for _ in 0..<60 {
            var groups: [StepShape.Group] = []
            var room = StepLimits.rowCount
            if limits.expandedEnd > 0, Bool.random(using: &random) {
                let rows = number(1...room)
                groups.append(transformer.expandedPrompts(rows, keyCount: number(rows...max(rows, limits.expandedEnd))))
                room -= rows
            }
            if room > 0, limits.expandedEnd < 2048, groups.isEmpty || Bool.random(using: &random) {
                let rows = number(1...room)
                groups.append(transformer.absorbedPrompts(rows, keyCount: number(rows...2048)))
                room -= rows
            }
            if room > 0, groups.isEmpty || Bool.random(using: &random) {
                let keys = number(1...2048)
                groups.append(
                    transformer.decodeRows(number(1...min(room, limits.decodeRowCount(forKeys: keys))), keyCount: keys))
            }
            let program = transformer.forward(
                StepShape(groups, choice: .drawn, returnsLogits: true, readsChosen: true))
            #expect(program.slots.byteCount <= plan.scratch, "\(groups)")
            expectDisjoint(program.slots)
        }
    }

    private func expectDisjoint(_ layout: SlotLayout) {
        let slots = layout.slots
        for (index, slot) in slots.enumerated() {
            let bytes = slot.offset..<slot.offset + slot.storage.byteCount
            #expect(slot.offset % 256 == 0 && bytes.upperBound <= layout.byteCount)
            let overlaps = slots[..<index].contains { other in
                other.lifetime.overlaps(slot.lifetime)
                    && bytes.overlaps(other.offset..<other.offset + other.storage.byteCount)
            }
            #expect(!overlaps, "\(slot.storage.label)")
        }
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
    @Test(arguments: [CacheLayout.Format.f32, .bf16])
    func aDevicesPlanSaysWhatFits(_ format: CacheLayout.Format) throws {
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
