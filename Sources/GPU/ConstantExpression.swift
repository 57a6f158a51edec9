// Tools/ShaderCompiler compiles this file too, through a symbolic link: it makes these values from SPIR-V.

/// A 32-bit number in a shader: a literal, a specialisation constant, or an operation on these.
///
/// Arithmetic is that of GLSL's `uint`: sums, differences and products wrap. Truth values are 1 and 0.
public enum ConstantExpression: Sendable, Equatable {
    case literal(UInt32)
    case constant(id: UInt32, defaultBits: UInt32)
    case operation(Operation, [ConstantExpression])

    public enum Operation: String, Sendable {
        case add, subtract, multiply, divide, remainder, shiftLeft, shiftRight
        case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
        case and, or, not
        /// The second operand where the first is true, else the third.
        case select
    }

    /// The number at these constants; a constant that is not listed has its default.
    public func value(_ constants: [(id: UInt32, bits: UInt32)]) -> UInt32 {
        switch self {
        case .literal(let value): return value
        case .constant(let id, let defaultBits): return constants.first { $0.id == id }?.bits ?? defaultBits
        case .operation(.select, let operands):
            return operands[operands[0].value(constants) != 0 ? 1 : 2].value(constants)
        case .operation(.not, let operands): return operands[0].value(constants) == 0 ? 1 : 0
        case .operation(let operation, let operands):
            return Self.result(operation, operands[0].value(constants), operands[1].value(constants))
        }
    }

    private static func result(_ operation: Operation, _ a: UInt32, _ b: UInt32) -> UInt32 {
        switch operation {
        case .add: return a &+ b
        case .subtract: return a &- b
        case .multiply: return a &* b
        case .divide, .remainder:
            precondition(b != 0, "a shader's constants divide \(a) by 0")
            return operation == .divide ? a / b : a % b
        case .shiftLeft: return a << b
        case .shiftRight: return a >> b
        case .equal: return a == b ? 1 : 0
        case .notEqual: return a != b ? 1 : 0
        case .less: return a < b ? 1 : 0
        case .lessOrEqual: return a <= b ? 1 : 0
        case .greater: return a > b ? 1 : 0
        case .greaterOrEqual: return a >= b ? 1 : 0
        case .and: return a != 0 && b != 0 ? 1 : 0
        case .or: return a != 0 || b != 0 ? 1 : 0
        case .not, .select: preconditionFailure("\(operation) does not have two operands")
        }
    }
}

/// Shared memory of one variable, or of one member of a structure: a scalar or vector, or an array of them.
public struct SharedArray: Sendable, Equatable {
    /// The array's length in each dimension; empty for a single element.
    public var lengths: [ConstantExpression]
    public var elementByteCount: Int

    public init(lengths: [ConstantExpression], elementByteCount: Int) {
        self.lengths = lengths
        self.elementByteCount = elementByteCount
    }

    /// The bytes at these constants.
    public func byteCount(_ constants: [(id: UInt32, bits: UInt32)]) -> Int {
        lengths.reduce(elementByteCount) { $0 * Int($1.value(constants)) }
    }
}
