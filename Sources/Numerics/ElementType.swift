/// What the elements of a stored tensor are.
///
/// The names of the safetensors format, the only one that checkpoints of this family use.
public enum ElementType: String, Sendable, Hashable, CaseIterable {
    case f64 = "F64"
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case fp8E4M3 = "F8_E4M3"
    case fp8E5M2 = "F8_E5M2"
    /// A power of two, 2^(code − 127): the scales of V3.1.
    case e8m0 = "F8_E8M0"
    case i64 = "I64"
    case i32 = "I32"
    case i16 = "I16"
    case i8 = "I8"
    case u64 = "U64"
    case u32 = "U32"
    case u16 = "U16"
    case u8 = "U8"
    case bool = "BOOL"

    /// Bytes an element takes.
    public var byteCount: Int {
        switch self {
        case .f64, .i64, .u64: 8
        case .f32, .i32, .u32: 4
        case .f16, .bf16, .i16, .u16: 2
        case .fp8E4M3, .fp8E5M2, .e8m0, .i8, .u8, .bool: 1
        }
    }

    /// The name in a safetensors header, such as `F8_E4M3`.
    public var safetensorsName: String { rawValue }

    /// The type that a safetensors header calls `name`; nil if there is none such here.
    public init?(safetensorsName name: String) { self.init(rawValue: name) }
}

extension ElementType: CustomStringConvertible {
    public var description: String { rawValue }
}
