import Numerics

/// How a weight's elements are stored.
public enum WeightFormat: Hashable, Sendable {
    case f32, bf16, f16
    /// With a scale for each block of 128 × 128 elements.
    case fp8E4M3
    /// Packed into words as in the files, with a scale for each group of a row's elements.
    case integers(GroupScaling)

    /// Integers of 8 bits.
    public static func int8(_ groupSize: Int) -> WeightFormat {
        .integers(GroupScaling(bits: 8, groupSize: groupSize))
    }
    /// Integers of 4 bits.
    public static func int4(_ groupSize: Int) -> WeightFormat {
        .integers(GroupScaling(bits: 4, groupSize: groupSize))
    }

    /// The formats that the cases of all products use.
    static let tested: [WeightFormat] = [.f32, .bf16, .f16, .fp8E4M3, .int8(128), .int4(32)]
    /// The other group sizes, for some cases of `Linear`: only a constant of the shaders differs.
    static let otherGroups: [WeightFormat] = [.int8(32), .int8(64), .int4(64), .int4(128)]

    /// The format of weights with elements of this type; nil if there is none.
    public init?(_ type: ElementType) {
        switch type {
        case .f32: self = .f32
        case .bf16: self = .bf16
        case .f16: self = .f16
        case .fp8E4M3: self = .fp8E4M3
        default: return nil
        }
    }

    /// The type of `Weight.codes`: elements, or words of packed elements.
    public var codeType: ElementType {
        switch self {
        case .f32: .f32
        case .bf16: .bf16
        case .f16: .f16
        case .fp8E4M3: .fp8E4M3
        case .integers: .u32
        }
    }

    /// Elements of `Weight.codes` in a row of `columns` weights.
    public func codeCount(_ columns: Int) -> Int {
        if case .integers(let scaling) = self { scaling.wordCount(columns) } else { columns }
    }

    /// Elements of `Weight.codes` from one row to the next: whole 16-byte chunks.
    public func codePitch(_ columns: Int) -> Int {
        if case .integers(let scaling) = self {
            (scaling.wordCount(columns) + 3) / 4 * 4
        } else {
            Tensor.weightPitch(columns)
        }
    }

    /// Bytes from one row to the next.
    public func pitchByteCount(_ columns: Int) -> Int { codePitch(columns) * codeType.byteCount }

    /// `[rows, columns]` of one matrix's scales; nil for formats without scales.
    public func scaleShape(rows: Int, columns: Int) -> [Int]? {
        switch self {
        case .f32, .bf16, .f16: nil
        case .fp8E4M3: [BlockScaling.blockCount(rows), BlockScaling.blockCount(columns)]
        case .integers(let scaling): [rows, scaling.groupCount(columns)]
        }
    }

    /// The root mean square of the values of all codes: scales are divided by it.
    public var usualCode: Float {
        switch self {
        case .f32, .bf16, .f16: 1
        case .fp8E4M3: 120
        case .integers(let scaling): Float(scaling.codes.count) / Float(12).squareRoot()
        }
    }

    /// The shaders' constant FORMAT.
    var constant: UInt32 {
        switch self {
        case .f32: 0
        case .bf16: 1
        case .f16: 2
        case .fp8E4M3: 3
        case .integers(let scaling):
            (scaling.bits == 8 ? 4 : 7) + UInt32((scaling.groupSize / 32).trailingZeroBitCount)
        }
    }
}

extension WeightFormat: CustomStringConvertible {
    public var description: String {
        if case .integers(let scaling) = self {
            "INT\(scaling.bits) by \(scaling.groupSize)"
        } else {
            codeType.description
        }
    }
}
