import FixtureSupport
import Foundation
import Model
import Numerics
import Testing

/// What another implementation computed: the oracle's expected.safetensors.
struct Expected {
    private let data: Data
    private let entries: [String: (offset: Int, byteCount: Int)]

    init(_ oracle: Oracle) throws {
        data = try Data(contentsOf: URL(fileURLWithPath: try oracle.folder() + "/expected.safetensors"))
        let length = Int(data.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        let header = try JSONSerialization.jsonObject(with: data[8..<8 + length]) as! [String: [String: Any]]
        var entries: [String: (Int, Int)] = [:]
        for (name, entry) in header {
            guard let offsets = entry["data_offsets"] as? [Int] else { continue }
            entries[name] = (8 + length + offsets[0], offsets[1] - offsets[0])
        }
        self.entries = entries
    }

    func floats(_ name: String) -> [Float] { values(name) }
    func integers(_ name: String) -> [Int] { (values(name) as [Int64]).map { Int($0) } }
    func has(_ name: String) -> Bool { entries[name] != nil }

    /// Expects a trace of the oracle's tokens to hold the values of the other implementation: the same experts, and all values
    /// at a distance below `bound`.
    ///
    /// - Parameter predicts: whether the model has a multi-token prediction layer.
    func compare(_ trace: Trace, predicts: Bool, bound: Double) {
        func check(_ name: String, _ found: [Float], _ expected: some Collection<Float>) {
            let distance = similarityDistance(found, expected)
            #expect(distance < bound, "\(name): \(distance)")
        }
        check("logits", trace.logits, floats("logits"))
        let hidden = floats("hidden")
        let size = hidden.count / trace.hidden.count
        for (layer, values) in trace.hidden.enumerated() {
            check("hidden \(layer)", values, hidden[layer * size..<(layer + 1) * size])
        }
        for routing in trace.routing {
            #expect(routing.experts == integers("router_experts_\(routing.layer)"), "layer \(routing.layer)")
            check("router weights \(routing.layer)", routing.weights, floats("router_weights_\(routing.layer)"))
        }
        #expect(trace.mtpLogits.isEmpty == !predicts)
        if predicts { check("mtp_logits", trace.mtpLogits, floats("mtp_logits")) }
    }

    private func values<T: BitwiseCopyable>(_ name: String) -> [T] {
        let entry = entries[name]!
        return data.withUnsafeBytes { raw in
            (0..<entry.byteCount / MemoryLayout<T>.size).map {
                raw.loadUnaligned(fromByteOffset: entry.offset + $0 * MemoryLayout<T>.size, as: T.self)
            }
        }
    }
}
