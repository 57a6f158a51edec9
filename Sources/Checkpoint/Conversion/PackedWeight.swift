import Numerics

/// A weight that a checkpoint holds as packed integers.
struct PackedWeight: Sendable {
    let name: String
    let shape: [Int]
    let scaling: GroupScaling

    /// A checkpoint's, by the tensors that hold them.
    static func all(of checkpoint: Checkpoint) -> [String: PackedWeight] {
        guard let scaling = checkpoint.config.integers else { return [:] }
        var weights: [String: PackedWeight] = [:]
        for weight in WeightMap.expected(checkpoint.config, hasMTP: checkpoint.hasMTP) {
            let packed = WeightMap.packedName(weight.name)
            guard checkpoint[weight.name] == nil, checkpoint[packed] != nil else { continue }
            weights[packed] = PackedWeight(name: weight.name, shape: weight.shape, scaling: scaling)
        }
        return weights
    }

    /// The words that hold some of the columns, which begin where a word does.
    func words(_ columns: Range<Int>) -> Range<Int> {
        columns.lowerBound / scaling.codesPerWord..<scaling.wordCount(columns.upperBound)
    }
}
