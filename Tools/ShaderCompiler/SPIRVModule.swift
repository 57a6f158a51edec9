/// The instructions of a SPIR-V module that reflection needs, indexed by result id.
struct SPIRVModule {
    var names: [UInt32: String] = [:]
    var memberNames: [UInt32: [Int: String]] = [:]
    var capabilities: [UInt32] = []
    var variables: [(id: UInt32, type: UInt32, storageClass: UInt32)] = []
    var structMembers: [UInt32: [UInt32]] = [:]
    var specConstants: [UInt32: (type: UInt32, bits: UInt32)] = [:]
    /// The workgroup's three extents; nil for one that is not computed from 32-bit constants.
    var localSize: [ConstantExpression?]?
    /// Variables that the code loads from and stores to.
    private(set) var loaded: Set<UInt32> = [], stored: Set<UInt32> = []
    /// The variable that a pointer reaches into.
    private var roots: [UInt32: UInt32] = [:]
    private var pointers: [UInt32: UInt32] = [:]
    private var scalars: [UInt32: String] = [:]
    /// 32-bit constants, and expressions computed from them.
    private var expressions: [UInt32: ConstantExpression] = [:]
    /// The arrays that a value of each type occupies in shared memory, tightly packed.
    private var sharedArrays: [UInt32: [SharedArray]] = [:]
    private var decorations: [UInt32: [UInt32: UInt32]] = [:]
    private var memberDecorations: [UInt32: [Int: [UInt32: UInt32]]] = [:]

    /// - Throws: what is malformed, and at which word.
    init(_ words: [UInt32]) throws(BuildError) {
        try forEachInstruction(words) { opcode, w in
            guard let opcode = Opcode(rawValue: opcode) else { return }
            noteAccess(opcode, w)
            noteType(opcode, w)
            noteConstant(opcode, w)
            switch opcode {
            case .name: names[w[1]] = literalString(w.dropFirst(2))
            case .memberName: memberNames[w[1], default: [:]][Int(w[2])] = literalString(w.dropFirst(3))
            case .capability: capabilities.append(w[1])
            case .executionMode where w[2] == ExecutionMode.localSize.rawValue:
                localSize = w[3...5].map { .literal($0) }
            case .executionModeId where w[2] == ExecutionMode.localSizeId.rawValue: localSizeIDs = Array(w[3...5])
            case .decorate: decorations[w[1], default: [:]][w[2]] = w.count > 3 ? w[3] : 1
            case .memberDecorate:
                memberDecorations[w[1], default: [:]][Int(w[2]), default: [:]][w[3]] = w.count > 4 ? w[4] : 1
            case .variable: variables.append((w[2], w[1], w[3]))
            default: break
            }
        }
        // The constants come after the execution mode.
        if let localSizeIDs { localSize = localSizeIDs.map { expressions[$0] } }
    }

    private var localSizeIDs: [UInt32]?

    func decoration(_ id: UInt32, _ kind: Decoration) -> UInt32? { decorations[id]?[kind.rawValue] }
    func memberDecoration(_ id: UInt32, _ member: Int, _ kind: Decoration) -> UInt32? {
        memberDecorations[id]?[member]?[kind.rawValue]
    }
    func pointee(_ type: UInt32) -> UInt32 { pointers[type] ?? 0 }
    func scalarType(_ type: UInt32) -> String? { scalars[type] }
    /// Nil for a type whose size is not computed.
    func sharedArrays(_ type: UInt32) -> [SharedArray]? { sharedArrays[type] }

    /// Follows loads, stores and atomics back to the variable.
    private mutating func noteAccess(_ opcode: Opcode, _ w: [UInt32]) {
        func root(_ id: UInt32) -> UInt32 { roots[id] ?? id }
        switch opcode {
        case .accessChain, .inBoundsAccessChain, .ptrAccessChain, .copyObject: roots[w[2]] = root(w[3])
        case .load, .atomicLoad, .cooperativeMatrixLoad: loaded.insert(root(w[3]))
        case .store, .atomicStore, .cooperativeMatrixStore: stored.insert(root(w[1]))
        case let atomic where Opcode.readingAndWriting.contains(atomic.rawValue):
            loaded.insert(root(w[3]))
            stored.insert(root(w[3]))
        case .functionCall:  // The function may load from its arguments and store to them.
            loaded.formUnion(w.dropFirst(4).map(root))
            stored.formUnion(w.dropFirst(4).map(root))
        default: break
        }
    }

    private mutating func noteType(_ opcode: Opcode, _ w: [UInt32]) {
        func scalar(bits: UInt32, _ name: String) {
            scalars[w[1]] = bits == 32 ? name : nil
            sharedArrays[w[1]] = [SharedArray(lengths: [], elementByteCount: Int(bits) / 8)]
        }
        switch opcode {
        case .typeBool: scalar(bits: 32, "Bool")
        case .typeInt: scalar(bits: w[2], w[3] == 1 ? "Int32" : "UInt32")
        case .typeFloat: scalar(bits: w[2], "Float")
        case .typeVector:
            sharedArrays[w[1]] = sharedArrays[w[2]]?.map { component in
                SharedArray(lengths: [], elementByteCount: component.elementByteCount * Int(w[3]))
            }
        case .typeArray:
            guard let length = expressions[w[3]] else { return }
            sharedArrays[w[1]] = sharedArrays[w[2]]?.map { element in
                SharedArray(lengths: [length] + element.lengths, elementByteCount: element.elementByteCount)
            }
        case .typeStruct:
            structMembers[w[1]] = Array(w.dropFirst(2))
            let members = w.dropFirst(2).map { sharedArrays[$0] }
            sharedArrays[w[1]] = members.contains { $0 == nil } ? nil : members.flatMap { $0! }
        case .typePointer: pointers[w[1]] = w[3]
        default: break
        }
    }

    private mutating func noteConstant(_ opcode: Opcode, _ w: [UInt32]) {
        switch opcode {
        case .constantTrue, .constantFalse: expressions[w[2]] = .literal(opcode == .constantTrue ? 1 : 0)
        case .constant where w.count == 4: expressions[w[2]] = .literal(w[3])
        case .specConstantTrue, .specConstantFalse, .specConstant:
            let bits = opcode == .specConstant ? w[3] : opcode == .specConstantTrue ? 1 : 0
            specConstants[w[2]] = (w[1], bits)
            guard w.count <= 4 else { return }
            expressions[w[2]] = decoration(w[2], .specId).map { .constant(id: $0, defaultBits: bits) } ?? .literal(bits)
        case .specConstantOp:
            guard let operation = Opcode(rawValue: w[3])?.constantOperation else { return }
            let operands = w.dropFirst(4).compactMap { expressions[$0] }
            guard operands.count == w.count - 4, operands.count == operation.operandCount else { return }
            expressions[w[2]] = ConstantExpression.operation(operation, operands).folded
        default: break
        }
    }
}

extension Opcode {
    /// Atomics that do both.
    static let readingAndWriting = atomicExchange.rawValue...atomicXor.rawValue

    /// The operation of an OpSpecConstantOp; nil for operations that sizes do not use.
    fileprivate var constantOperation: ConstantExpression.Operation? {
        switch self {
        case .iAdd: .add
        case .iSub: .subtract
        case .iMul: .multiply
        case .uDiv: .divide
        case .uMod: .remainder
        case .shiftLeftLogical: .shiftLeft
        case .shiftRightLogical: .shiftRight
        case .iEqual, .logicalEqual: .equal
        case .iNotEqual, .logicalNotEqual: .notEqual
        case .uLessThan: .less
        case .uLessThanEqual: .lessOrEqual
        case .uGreaterThan: .greater
        case .uGreaterThanEqual: .greaterOrEqual
        case .logicalAnd: .and
        case .logicalOr: .or
        case .logicalNot: .not
        case .select: .select
        default: nil
        }
    }
}

extension ConstantExpression.Operation {
    fileprivate var operandCount: Int { self == .not ? 1 : self == .select ? 3 : 2 }
}

extension ConstantExpression {
    /// A literal if all operands are literals.
    fileprivate var folded: ConstantExpression {
        guard case .operation(let operation, let operands) = self else { return self }
        let isConstant = operands.allSatisfy { if case .literal = $0 { true } else { false } }
        // The specification leaves a division by zero undefined.
        let isDefined = ![.divide, .remainder].contains(operation) || operands[1] != .literal(0)
        return isConstant && isDefined ? .literal(value([])) : self
    }
}

/// The first word of every module.
private let magicNumber: UInt32 = 0x0723_0203

/// Calls `body` with each instruction's opcode and words, numbered as in the specification: the first holds opcode and
/// length.
func forEachInstruction(_ words: [UInt32], _ body: (UInt32, [UInt32]) -> Void) throws(BuildError) {
    guard let first = words.first, first == magicNumber else {
        let found = words.first.map { "0x" + String($0, radix: 16) } ?? "no words"
        throw BuildError("SPIR-V: expected 0x\(String(magicNumber, radix: 16)) at its start, found \(found)")
    }
    var position = 5
    guard words.count >= position else {
        throw BuildError("SPIR-V: truncated: expected a header of 5 words, found \(words.count)")
    }
    while position < words.count {
        let (opcode, length) = (words[position] & 0xFFFF, Int(words[position] >> 16))
        let least = leastLength(opcode, words[position...])
        guard length >= least else {
            throw BuildError(
                "SPIR-V: word \(position): expected at least \(least) words of instruction \(opcode), found \(length)")
        }
        guard position + length <= words.count else {
            throw BuildError(
                "SPIR-V: truncated: instruction \(opcode) at word \(position) has \(length) words, "
                    + "\(words.count - position) are there")
        }
        body(opcode, Array(words[position..<position + length]))
        position += length
    }
}

/// The least number of words of an instruction that reflection reads.
private func leastLength(_ opcode: UInt32, _ w: ArraySlice<UInt32>) -> Int {
    switch Opcode(rawValue: opcode) {
    case .capability, .typeBool, .typeStruct: 2
    case .name, .typeFloat, .constantTrue, .constantFalse, .specConstantTrue, .specConstantFalse, .store, .atomicStore,
        .cooperativeMatrixStore, .decorate:
        3
    case .executionMode, .executionModeId:
        // A workgroup's size has three operands more than another execution mode.
        w.count > 2 && ExecutionMode(rawValue: w[w.startIndex + 2]) != nil ? 6 : 3
    case .memberName, .typeInt, .typeVector, .typeArray, .typePointer, .constant, .specConstant, .specConstantOp,
        .functionCall, .variable, .load, .accessChain, .inBoundsAccessChain, .ptrAccessChain, .memberDecorate,
        .copyObject, .atomicLoad, .cooperativeMatrixLoad:
        4
    default: Opcode.readingAndWriting.contains(opcode) ? 4 : 1
    }
}

private func literalString(_ words: ArraySlice<UInt32>) -> String {
    let bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
}

/// The module without names and source text: the embedded copy does not need them.
func strippedOfNames(_ words: [UInt32]) throws(BuildError) -> [UInt32] {
    var kept = Array(words.prefix(5))
    try forEachInstruction(words) { opcode, w in
        if Opcode(rawValue: opcode)?.isDebugInformation != true { kept += w }
    }
    return kept
}
