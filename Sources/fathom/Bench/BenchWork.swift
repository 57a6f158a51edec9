import JSON
import Model
import Numerics
import Profiler

/// The bytes and operations of a model's tokens on a device, beside the device's measured limits.
struct BenchWork {
    let costs: (prefill: StepCosts, decode: StepCosts)
    /// Nil where the device has no clock of its own.
    let limits: Profile.Limits?

    /// Nil without a device.
    static func measure(_ model: any LanguageModel & TraceableModel, prompt: [Int32]) throws -> BenchWork? {
        guard let device = model.device, let costs = try StepCosts.recorded(model, prompt: prompt) else { return nil }
        let hasClock = device.profile.timestampPeriod > 0
        return BenchWork(costs: costs, limits: hasClock ? try Profile.Limits.measured(on: device).limits : nil)
    }

    /// "2.41 GB and 4.82 GFLOP a token: 1.69 TB/s, 61.2% of the copy bandwidth; 3.37 TFLOP/s, 0.4% of the arithmetic"
    func text(_ costs: StepCosts, _ tokensPerSecond: Double) -> String {
        let (bytes, flops) = (costs.bytesPerToken * tokensPerSecond, costs.flopsPerToken * tokensPerSecond)
        func share(_ rate: Double, _ limit: Double?, of name: String) -> String {
            limit.map { ", \(fixed(rate / $0 * 100, 1))% of the \(name)" } ?? ""
        }
        return "\(amount(costs.bytesPerToken, "B")) and \(amount(costs.flopsPerToken, "FLOP")) a token: "
            + "\(amount(bytes, "B/s"))\(share(bytes, limits?.copyBytesPerSecond, of: "copy bandwidth")); "
            + "\(amount(flops, "FLOP/s"))\(share(flops, limits?.fastestFlopsPerSecond, of: "arithmetic"))"
    }

    var limitsText: String {
        limits?.text ?? "not measured: the device has no timestamps"
    }

    func json(_ costs: StepCosts, _ tokensPerSecond: Double) -> [JSONMember] {
        let (bytes, flops) = (costs.bytesPerToken * tokensPerSecond, costs.flopsPerToken * tokensPerSecond)
        func share(_ rate: Double, _ limit: Double?) -> JSONValue { limit.map { JSONValue(rate / $0) } ?? .null }
        return [
            JSONMember("bytes_per_token", JSONValue(costs.bytesPerToken)),
            JSONMember("flops_per_token", JSONValue(costs.flopsPerToken)),
            JSONMember("bytes_per_second", JSONValue(bytes)),
            JSONMember("flops_per_second", JSONValue(flops)),
            JSONMember("share_of_copy", share(bytes, limits?.copyBytesPerSecond)),
            JSONMember("share_of_arithmetic", share(flops, limits?.fastestFlopsPerSecond)),
        ]
    }

    var limitsJSON: JSONValue { limits?.json ?? .null }
}

extension Profile.Limits {
    /// "copy 4.31 TB/s, FP32 59.1 TFLOP/s, launch 1.9 µs"
    var text: String {
        let rates = [
            ("FP32", fp32FlopsPerSecond), ("FP16", fp16FlopsPerSecond), ("matrix units", matrixFlopsPerSecond),
        ]
        return "copy \(amount(copyBytesPerSecond, "B/s"))"
            + rates.compactMap { name, rate in rate.map { ", \(name) \(amount($0, "FLOP/s"))" } }.joined()
            + ", launch \(fixed(launchNanoseconds / 1000, 1)) µs"
    }
}
