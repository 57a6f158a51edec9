/// A weight that a config calls for: all that its loading, checking, conversion and measuring depend on.
public struct DeclaredWeight: Sendable, Equatable {
    /// The formats that a weight may have.
    public enum FormatRule: Sendable {
        /// BF16, F16 or F32.
        case plain
        /// BF16, F16, F32, FP8 with block scales, or packed integers.
        case quantisable
        /// The same formats, but conversion does not write packed integers: attention reads kv_b_proj by heads in both
        /// directions.
        case quantisableToFP8
    }

    /// How ranks share a weight.
    public enum Split: Sendable {
        /// Each rank has all of it.
        case whole
        /// Each rank has an equal part of the rows: a part of the outputs, or a part of an embedding's tokens.
        case rows
        /// Each rank has an equal part of the columns, and the ranks' outputs are summed.
        case columns
        /// Each has some of the experts.
        case experts
    }

    /// The other weights that a weight forms one matrix with in memory.
    public enum Stacking: Sendable, Equatable {
        case alone
        /// Its rows follow the rows of this weight of the same layer, so that one product computes both.
        case below(LayerRole)
        /// All experts' matrices of one projection form a bank; all of a layer's experts have one format.
        case bank
    }

    public let role: WeightRole
    /// The name of its elements in a file.
    public let name: String
    /// Rows and columns of a matrix, or the number of elements of a vector.
    public let shape: [Int]
    public let format: FormatRule
    public let split: Split
    public let stacking: Stacking
    /// The part of the model that it belongs to, in a prediction layer too.
    public let part: ModelCensus.Part
    /// Whether it belongs to the multi-token prediction.
    public let isPrediction: Bool
    /// Whether a checkpoint may leave it out: a copy of another weight.
    public let isOptional: Bool

    /// Nil for a weight that belongs to no layer.
    public var layer: Int? {
        if case .layer(let layer, _) = role { layer } else { nil }
    }
    public var isMatrix: Bool { shape.count == 2 }
    public var isQuantisable: Bool { format != .plain }
    public var elementCount: Int { shape.reduce(1, *) }
}
