import Numerics

/// A weight that a checkpoint stores as packed integers.
struct PackedWeight: Sendable {
    let name: String
    let shape: [Int]
    let scaling: GroupScaling

    /// A checkpoint's, by the names of the tensors that hold the words.
    static func all(of checkpoint: Checkpoint) -> [String: PackedWeight] {
        guard checkpoint.config.integers != nil else { return [:] }
        var packed: [String: PackedWeight] = [:]
        for weight in checkpoint.weights {
            guard let stored = checkpoint.weights.stored(weight, in: checkpoint.tensors), let packing = stored.packing
            else { continue }
            packed[stored.codes.name] = PackedWeight(name: weight.name, shape: weight.shape, scaling: packing)
        }
        return packed
    }

    /// The words that hold some of the columns, the first of which begins a word.
    func words(_ columns: Range<Int>) -> Range<Int> {
        columns.lowerBound / scaling.codesPerWord..<scaling.wordCount(columns.upperBound)
    }
}
