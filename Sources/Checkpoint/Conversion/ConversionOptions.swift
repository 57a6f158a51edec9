import Numerics

/// The output format of a conversion.
public struct ConversionOptions: Sendable, Equatable {
    public enum Format: String, Sendable, CaseIterable {
        case bf16, fp8, int8, int4
    }

    /// Nil to keep the format of every tensor.
    public var format: Format?
    /// For integer formats, the number of columns that share a scale.
    public var groupSize: Int
    /// Whether FP8 scales are rounded up to powers of two.
    public var powersOfTwo: Bool
    /// Whether only the routed experts' matrices are quantised. Other matrices keep their format, except that FP8
    /// becomes BF16.
    public var expertsOnly: Bool
    /// Number of ranks over which the checkpoint is split; 1 for a checkpoint that is not split.
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

    /// The scaling of integer formats; nil for other formats.
    var scaling: GroupScaling? {
        switch format {
        case .int4: GroupScaling(bits: 4, groupSize: groupSize)
        case .int8: GroupScaling(bits: 8, groupSize: groupSize)
        case .bf16, .fp8, nil: nil
        }
    }
}
