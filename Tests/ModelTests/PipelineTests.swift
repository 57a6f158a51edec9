import Checkpoint
import FixtureSupport
import Foundation
import GPU
import Numerics
import Testing

@testable import Loading
@testable import Model

/// Pipelines are there before the first step, and the next start finds them.
struct PipelineTests {
    private func load(
        _ oracle: Oracle, cache: PipelineCache?, _ activations: ActivationFormat = .f32
    ) throws -> LoadedModel {
        var options = LoadOptions(contextTokens: 512, activations: activations)
        options.pipelineCache = cache
        return try ModelLoader.load(source: .folder(try oracle.folder()), device: .vulkan(nil), options: options)
    }

    /// What a conversation's steps use was listed before there was any memory, and nothing else.
    @Test(arguments: [(Oracle.v3FP8, ActivationFormat.fp8), (.v2LiteBF16, .f32), (.v3Ragged, .f32)])
    func theListIsWhatStepsUse(_ oracle: Oracle, _ activations: ActivationFormat) throws {
        let model = try load(oracle, cache: nil, activations)
        let device = try #require(model.device)
        device.waitForPipelines()
        let before = Set(device.knownPipelines.map { "\($0.module) \($0.constants)" })
        #expect(before.count > 10)
        let sequence = try model.makeSequence()
        for count in [300, 100, 20, 1] {
            _ = try model.step(
                .prefill,
                [
                    StepItem(
                        sequence: sequence, tokens: Array(repeating: 3, count: count), rows: .last(1),
                        kind: .best(among: 8))
                ])
        }
        for output in [Output.last, .best(among: 8), .drawn(among: 8, by: DrawRule(temperature: 1))] {
            _ = try model.step(.decode, [StepItem(sequence: sequence, tokens: [3], output: output)])
        }
        let missing = Set(device.knownPipelines.map { "\($0.module) \($0.constants)" }).subtracting(before)
        #expect(missing.isEmpty, "made at first use: \(missing.sorted())")
    }

    @Test func theSecondStartFindsThem() throws {
        let folder = try TemporaryFolder()
        let cache = PipelineCache(folder: folder.path, shaders: 1)
        for expected in [false, true] {
            let device = try #require(try load(.v3FP8, cache: cache).device)
            #expect((device.cachedPipelineByteCount > 0) == expected)
            device.waitForPipelines()
            // Before the device closes: a program may be ended any time.
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 1)
        }
        // Another build's shaders: not these.
        let rebuilt = PipelineCache(folder: folder.path, shaders: 2)
        let device = try #require(try load(.v3FP8, cache: rebuilt).device)
        #expect(device.cachedPipelineByteCount == 0)
        // A device that closes keeps what was made until then, which may be none.
        device.waitForPipelines()
        #expect(try load(.v3FP8, cache: rebuilt).device!.cachedPipelineByteCount > 0)
    }

    /// A device that closes while its threads still work waits for them.
    @Test func closingEarlyIsFine() throws {
        let folder = try TemporaryFolder()
        for round in 0..<5 {
            let model = try load(.v2LiteBF16, cache: PipelineCache(folder: folder.path, shaders: UInt64(round)))
            #expect(model.device != nil)
        }
    }

    /// Threads and a step ask for the same ones at once: each is made once, and no one waits for ever.
    @Test func everyoneGetsTheSamePipeline() async throws {
        let device = try Device.open()
        let planner = try MemoryPlanner(
            Checkpoint(.folder(try Oracle.v3FP8.folder())), kvFormat: .f32, predicts: false, on: device)
        let needed = try planner.neededPipelines(contextLength: 128, on: device)
        #expect(needed.count > 10)
        device.preparePipelines(needed, threadCount: 4)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    for one in needed { _ = try device.pipeline(for: one.module, constants: one.constants) }
                }
            }
            try await group.waitForAll()
        }
        device.waitForPipelines()
        #expect(device.knownPipelines.count == needed.count)
    }
}
