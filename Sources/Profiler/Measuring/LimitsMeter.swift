import GPU
import Kernels
import Numerics

/// Measures the device's limits, in the same run as the kernels, since clock rates and other load change over time.
struct LimitsMeter {
    let device: Device
    /// Size of the copied buffers, larger than the caches.
    let copyByteCount: Int

    func measure() throws(GPUError) -> (limits: Profile.Limits, marks: MarkCosts, notes: [String]) {
        var bench = Workbench(on: device, seed: 1)
        let marks = try MarkCosts(measuredOn: device)
        let empty = try fastest(repeats: 50, { _ throws(GPUError) in })
        let words = copyByteCount / 4 / 4 * 4
        let copy = LimitCopy(x: try bench.unfilled("x", words: words), y: try bench.unfilled("y", words: words))
        let copyTime = try fastest(repeats: 8) { commands throws(GPUError) in try copy.encode(into: &commands) }

        var notes: [String] = []
        var half: Double?
        if device.profile.hasFloat16 {
            half = try arithmeticRate(&bench, empty, isHalf: true)
        } else {
            notes.append("FP16 rate: not available, the device has no FP16 arithmetic")
        }
        var matrix: Double?
        if let shape = device.profile.matrixShape {
            // A driver whose matrix units fail or compute something else has the other limits all the same.
            do throws(GPUError) { matrix = try matrixRate(&bench, empty, shape) } catch {
                notes.append("matrix units: not available: \(error.description)")
            }
        } else {
            notes.append("matrix units: not available, the device lists no shape with FP16 inputs and FP32 sums")
        }
        let limits = Profile.Limits(
            copyBytesPerSecond: Double(copy.cost.byteCount) / (copyTime - empty) * 1e9,
            fp32FlopsPerSecond: try arithmeticRate(&bench, empty, isHalf: false), fp16FlopsPerSecond: half,
            matrixFlopsPerSecond: matrix, launchNanoseconds: marks.launch, markNanoseconds: marks.dispatch)
        return (limits, marks, notes)
    }

    /// The rate of fused multiply-adds, with enough threads to fill the device.
    private func arithmeticRate(_ bench: inout Workbench, _ empty: Double, isHalf: Bool) throws(GPUError) -> Double {
        let threads = device.profile.kind == .software ? 1 << 12 : 1 << 18
        let y = try bench.output("y", .f32, [1, threads])
        return try rate(empty) { rounds in LimitFMA(y: y, rounds: rounds, isHalf: isHalf) }
    }

    private func matrixRate(
        _ bench: inout Workbench, _ empty: Double, _ shape: DeviceProfile.MatrixShape
    ) throws(GPUError) -> Double {
        let groups = device.profile.kind == .software ? 64 : 8192
        let y = try bench.tensor("y", .f32, [groups, shape.m * shape.n], .poison, pitch: shape.m * shape.n)
        let size = device.profile.subgroupSize
        let outcome = try SelfTest.check(
            LimitMatrix(y: y, rounds: 3, shape: shape, subgroupSize: size), label: "limit_matrix", on: device)
        if let failure = outcome.failure {
            throw GPUError(call: "limit_matrix", result: .notSupported, object: failure)
        }
        return try rate(empty) { rounds in LimitMatrix(y: y, rounds: rounds, shape: shape, subgroupSize: size) }
    }

    /// Operations per second. Doubles `rounds` until a dispatch takes 5 ms, so that launch time is negligible.
    private func rate(_ empty: Double, _ make: (_ rounds: Int) -> any Kernel) throws(GPUError) -> Double {
        var rounds = 64
        while true {
            let kernel = make(rounds)
            let time =
                try fastest(repeats: 3) { commands throws(GPUError) in try kernel.encode(into: &commands) } - empty
            if time > 5e6 || rounds >= 1 << 20 {
                let best = try fastest(repeats: 8) { commands throws(GPUError) in try kernel.encode(into: &commands) }
                return Double(kernel.cost.flopCount) / (best - empty) * 1e9
            }
            rounds *= 2
        }
    }

    /// The least time, in nanoseconds, of `repeats` executions of `encode`, with barriers between them, after a
    /// warm-up.
    private func fastest(
        repeats: Int, _ encode: (inout Commands) throws(GPUError) -> Void
    ) throws(GPUError) -> Double {
        var commands = try Commands(on: device, timestampCapacity: 2 * repeats + 2)
        try commands.begin()
        for _ in 0...repeats {
            commands.separate()
            _ = commands.timestamp(.start)
            try encode(&commands)
            _ = commands.timestamp(.end)
        }
        try commands.submit()
        try commands.wait()
        let times = try commands.timestamps()
        return (1...repeats).map { times[2 * $0 + 1] - times[2 * $0] }.min()!
    }
}

extension Workbench {
    /// A tensor of uninitialised words in device memory.
    func unfilled(_ label: String, words: Int) throws(GPUError) -> Tensor {
        let view = try Allocation(on: device!, byteCount: words * 4, kind: .device, label: label).view
        return Tensor(Storage(label: label, byteCount: words * 4, device: view, onHost: false), .u32, [words])
    }
}
