import Checkpoint
import Kernels
import Model
import Program

/// Where a model's weights come from: a checkpoint's files, or a random generator.
protocol WeightSource {
    /// The weights that the source has. The multi-token prediction's may be missing.
    var weights: WeightList { get }
    /// Notes for the user on unusual properties that are not errors.
    var notes: [String] { get }
    /// How a weight is stored; nil if the source does not have it.
    func stored(_ role: WeightRole) -> StoredWeight?
    /// Puts the slices' elements into `codes`, each slice's rows below the last one's, and zeros into the rows' padding. All
    /// slices have as many columns.
    ///
    /// - Parameter advance: told the byte count of each part that was read.
    func fill(
        _ codes: Tensor, with slices: [TensorSlice], in memory: any ModelMemory,
        advance: (_ byteCount: Int) throws(ModelError) -> Void
    ) throws(ModelError)
    /// The elements of a slice as FP32, row by row.
    func floats(_ slice: TensorSlice) throws(ModelError) -> [Float]
}

extension WeightSource {
    var config: ModelConfig { weights.config }
    var hasMTP: Bool { weights.hasMTP }
}
