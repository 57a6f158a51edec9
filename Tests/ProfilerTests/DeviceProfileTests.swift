import Checkpoint
import Foundation
import GPU
import JSON
import Kernels
import Model
import Program
import Testing

@testable import Profiler

/// Profiles of this machine's device.
@Suite(.serialized) struct DeviceProfileTests {
    private func header(_ device: Device) -> Profile.Header {
        Profile.Header(of: device, model: "test", commit: nil, commandLine: ["test"], date: 0)
    }

    @Test func kernelsAreCheckedAndTimed() throws {
        let device = try Device.open()
        var options = KernelProfiler.Options()
        options.names = ["swiglu", "linear"]
        // Long enough for six rounds beside other tests.
        options.seconds = 0.5
        options.cacheByteCount = 1 << 20
        var shapes = try #require(try ModelShapes.named("small"))
        shapes.prefillTokenCount = 8
        var calls = 0
        let profiler = try KernelProfiler(device: device, shapes: shapes, options: options) { _, _ in
            calls += 1
            return true
        }
        var profile = try profiler.run(header: header(device))
        profile.noteShaders(of: device)
        #expect(calls > profile.rows.count && Set(profile.rows.map(\.kernel)) == ["swiglu", "linear"])
        for row in profile.rows {
            #expect(
                row.check == "ok" && row.samples.count >= 12 && row.roundSizes.count == row.yardsticks.count, "\(row)")
            #expect(row.samples.allSatisfy { $0 >= 0 && $0 < 1e9 } && row.yardsticks.allSatisfy { $0 > 0 }, "\(row)")
            #expect(row.dispatchCount == 1 && row.byteCount > 0 && row.flopCount > 0 && !row.variant.isEmpty, "\(row)")
        }
        let limits = profile.limits
        #expect(limits.copyBytesPerSecond > 1e8 && limits.fp32FlopsPerSecond > 1e8 && limits.launchNanoseconds > 0)
        #expect(profile.header.shaders.contains { $0.name == "swiglu" && $0.hash.count == 16 })
        #expect(profile.header.date == "1970-01-01T00:00:00Z")
        let read = try Profile(JSONField(profile.json, name: "profile"))
        #expect(read.rows.map(\.shape) == profile.rows.map(\.shape))
    }

    @Test func profilingCanBeInterruptedBetweenRounds() throws {
        let device = try Device.open()
        var options = KernelProfiler.Options()
        options.names = ["swiglu"]
        options.cacheByteCount = 1 << 20
        let shapes = try #require(try ModelShapes.named("small"))
        let profiler = try KernelProfiler(device: device, shapes: shapes, options: options) { _, _ in false }
        #expect {
            try profiler.run(header: header(device))
        } throws: { error in
            if case ProfilerError.interrupted = error { true } else { false }
        }
    }

    /// The cases of every published model's shapes contain all kernels.
    @Test(arguments: ModelShapes.names)
    func everyKernelHasItsShapes(name: String) throws {
        let cases = try #require(try ModelShapes.named(name)).cases()
        #expect(Set(cases.map(\.kernel)) == Set(Catalogue.kernels.map { $0.name }))
        #expect(Set(cases.map(\.label)).count == cases.count)
    }

    /// The rows follow the catalogue, which lists the kernels in a step's order.
    @Test func rowsAreInTheOrderOfAStep() throws {
        let labels = try #require(try ModelShapes.named("v3")).cases().map(\.label)
        let products = [
            "q_a_proj+kv_a_proj_with_mqa", "q_b_proj", "o_proj", "gate_proj", "down_proj", "router", "shared_gate_proj",
            "shared_down_proj",
        ]
        let decode =
            ["norm", "quantise_rows", "swiglu", "argmax", "sample", "embedding"] + products + ["lm_head"]
            + ["kv_cache_append", "mla_query", "mla_absorbed in splits, 1024 keys", "mla_value"]
            + ["expert_gate of 256", "experts' gate and up", "experts' down"]
        let prefill =
            ["norm", "quantise_rows", "swiglu", "half_rows", "embedding"] + products
            + ["kv_cache_append", "mla_query", "mla_absorbed, 1024 keys", "mla_value", "mla_rope"]
            + ["kv_b_proj, 1024 keys", "mla_expanded, 1024 keys"]
            + ["expert_gate of 256", "expert_sort of 256", "experts' gate", "experts' down", "expert_sum"]
        // Other kernels may come between these.
        let expected = decode.map { "decode \($0)" } + prefill.map { "prefill \($0)" }
        #expect(labels.filter(Set(expected).contains) == expected)
    }

    @Test func aRepeatedPartChangesNoResult() throws {
        let device = try Device.open()
        var bench = Workbench(on: device, seed: 3)
        let y = try bench.output("y", .f32, [1, 640])
        try bench.upload()
        let kernel = LimitFMA(y: y, rounds: 3, isHalf: false)
        var commands = try Commands(on: device)
        try commands.begin()
        var list = Commands(listingFor: device)
        try kernel.encode(into: &list)
        for dispatch in list.dispatches {
            try commands.dispatch(dispatch)
            try commands.dispatch(try #require(dispatch.part(0.1)))
        }
        #expect(commands.dispatchCount == 2)
        try commands.submit()
        try commands.wait()
        kernel.reference()
        var transfer = Transfer(on: device)
        var bytes = [UInt8](repeating: 0, count: y.storage.byteCount)
        try bytes.withUnsafeMutableBytes { raw in try transfer.download(y.storage.device!, into: raw) }
        #expect(SelfTest.difference(y, found: bytes, tolerance: kernel.tolerance) == nil)
    }

    @Test func marksCoverTheRequestedCommands() throws {
        let device = try Device.open()
        var bench = Workbench(on: device, seed: 3)
        let kernel = LimitFMA(y: try bench.output("y", .f32, [1, 64]), rounds: 3, isHalf: false)
        var commands = try Commands(on: device, timestampCapacity: 64)
        for marking in [Marking(), Marking(every: 3, first: 1), Marking(every: .max, first: .max)] {
            commands.marking = marking
            try commands.begin()
            for _ in 0..<7 { try kernel.encode(into: &commands) }
            try commands.submit()
            try commands.wait()
            let times = try commands.timestamps()
            #expect(
                commands.marked.count == 7
                    && commands.marked.map(\.hasBarrier) == [false] + Array(repeating: true, count: 6))
            for (index, command) in commands.marked.enumerated() {
                #expect((command.marks != nil) == (index % marking.every == marking.first))
                guard let marks = command.marks else { continue }
                #expect(times[marks.before] <= times[marks.start] && times[marks.start] <= times[marks.end])
            }
        }
    }

    @Test func clocksAgree() throws {
        let device = try Device.open()
        guard device.profile.hasCalibratedTimestamps else { return }
        let (before, clocks, after) = (StepTimeline.now(), try device.clocks(), StepTimeline.now())
        #expect(before <= clocks.host && clocks.host <= after && clocks.deviation < 1e6)
    }
}
