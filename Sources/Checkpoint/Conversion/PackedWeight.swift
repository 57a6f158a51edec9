import Numerics

/// A weight that a checkpoint stores as packed integers.
struct PackedWeight: Sendable {
    let name: String
    let shape: [Int]
    let scaling: GroupScaling

    /// All packed weights of a checkpoint, by the names of their `_packed` tensors.
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

    /// The range of words with the given columns, which must begin at a word.
    func words(_ columns: Range<Int>) -> Range<Int> {
        columns.lowerBound / scaling.codesPerWord..<scaling.wordCount(columns.upperBound)
    }
}
