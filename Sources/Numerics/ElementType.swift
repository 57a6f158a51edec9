/// The element type of a stored tensor. Raw values are the names of the safetensors format.
public enum ElementType: String, Sendable, Hashable, CaseIterable {
    case f64 = "F64"
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case fp8E4M3 = "F8_E4M3"
    case fp8E5M2 = "F8_E5M2"
    /// 2^(code − 127): the type of V3.1's scales.
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

    /// Bytes per element.
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

    /// The type with this name in a safetensors header; nil if it is unknown.
    public init?(safetensorsName name: String) { self.init(rawValue: name) }
}

extension ElementType: CustomStringConvertible {
    public var description: String { rawValue }
}
