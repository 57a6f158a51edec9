import Numerics

/// What a conversion makes of a checkpoint.
public struct ConversionOptions: Sendable, Equatable {
    public enum Format: String, Sendable, CaseIterable {
        case bf16, fp8, int8, int4
    }

    /// Nil to leave every tensor as it is.
    public var format: Format?
    /// Columns that share a scale, of integers.
    public var groupSize: Int
    /// FP8 scales rounded up to powers of two.
    public var powersOfTwo: Bool
    /// Whether matrices other than the routed experts' stay as they are, or BF16 if they were FP8.
    public var expertsOnly: Bool
    /// 1 for a checkpoint that is not split.
    public var rankCount: Int

    public init(
        format: Format? = nil, groupSize: Int = 32, powersOfTwo: Bool = false, expertsOnly: Bool = false,
        rankCount: Int = 1
    ) {
        self.format = format
        self.groupSize = groupSize
        self.powersOfTwo = powersOfTwo
        self.expertsOnly = expertsOnly
        self.rankCount = rankCount
    }

    /// The integers' scaling; nil for other formats.
    var scaling: GroupScaling? {
        switch format {
        case .int4: GroupScaling(bits: 4, groupSize: groupSize)
        case .int8: GroupScaling(bits: 8, groupSize: groupSize)
        case .bf16, .fp8, nil: nil
        }
    }
}
