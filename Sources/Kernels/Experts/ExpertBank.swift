import GPU
import Numerics

/// One projection of all experts, in parts that each fit into one binding: part i holds the experts from `firstExpert` on.
public struct ExpertBank: Sendable {
    public let parts: [(firstExpert: Int, weight: Weight)]

    public init(parts: [(firstExpert: Int, weight: Weight)]) {
        var next = 0
        for part in parts {
            precondition(part.firstExpert == next, "experts: a part from \(part.firstExpert), not \(next)")
            let first = parts[0].weight
            precondition(
                part.weight.rows == first.rows && part.weight.columns == first.columns
                    && part.weight.format == first.format,
                "experts: \(part.weight.codes.label) differs from the first part")
            next += part.weight.matrixCount
        }
        precondition(next > 0, "experts: an empty bank")
        self.parts = parts
    }

    public var weights: [Weight] { parts.map(\.weight) }
    public var firstExperts: [Int] { parts.map(\.firstExpert) }
    public var expertCount: Int { parts[parts.count - 1].firstExpert + parts[parts.count - 1].weight.matrixCount }
    public var rows: Int { parts[0].weight.rows }
    public var format: WeightFormat { parts[0].weight.format }
    public var columns: Int { parts[0].weight.columns }

    /// A bank of random experts in two parts, or in one where there is one expert.
    static func sample(
        _ bench: inout Workbench, _ label: String, experts: Int, rows: Int, columns: Int, _ format: WeightFormat
    ) throws(GPUError) -> ExpertBank {
        let first = max(1, experts / 3)
        var parts = [(0, try bench.weight(label, rows: rows, columns: columns, format, matrixCount: first))]
        if experts > first {
            let rest = try bench.weight(
                label + " 2", rows: rows, columns: columns, format, matrixCount: experts - first)
            parts.append((first, rest))
        }
        return ExpertBank(parts: parts)
    }

    /// A bank of some of a model's experts, random, in parts that the device can bind, as the model's own.
    static func sample(
        _ bench: inout Workbench, _ label: String, of experts: ModelDimensions.Experts, rows: Int, columns: Int,
        _ format: WeightFormat
    ) throws(GPUError) -> ExpertBank {
        let count = experts.sampledCount
        let limit = bench.target.map { $0.profile.maxStorageBufferRange } ?? .max
        let most = max(1, min(count, limit / (rows * format.pitchByteCount(columns))))
        var parts: [(firstExpert: Int, weight: Weight)] = []
        for first in stride(from: 0, to: count, by: most) {
            let weight = try bench.weight(
                label, rows: rows, columns: columns, format, matrixCount: min(most, count - first))
            parts.append((first, weight))
        }
        return ExpertBank(parts: parts)
    }
}

/// The weight that holds an expert, and the expert's place in it.
func locate(_ expert: Int, _ weights: [Weight], _ firstExperts: [Int]) -> (weight: Weight, matrix: Int) {
    let part = firstExperts.lastIndex { $0 <= expert }!
    return (weights[part], expert - firstExperts[part])
}

/// Random experts for each token: `[tokens, topK], U32`, all of a row different.
func sampleExperts(_ bench: inout Workbench, tokens: Int, topK: Int, of count: Int) throws(GPUError) -> Tensor {
    var ids: [UInt32] = []
    for _ in 0..<tokens { ids += (0..<UInt32(count)).shuffled(using: &bench.random).prefix(topK) }
    return try bench.tensor("experts", .u32, [tokens, topK], .words(ids))
}

/// Bytes of the weights that so many assignments read at most.
func chosenByteCount(_ weights: [Weight], assignments: Int) -> Int {
    min(assignments, weights.reduce(0) { $0 + $1.matrixCount }) * weights[0].byteCount
}
