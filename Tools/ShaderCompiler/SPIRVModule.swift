/// The instructions of a SPIR-V module that reflection needs, indexed by result id.
struct SPIRVModule {
    enum Extent { case literal(UInt32), id(UInt32) }

    var names: [UInt32: String] = [:]
    var memberNames: [UInt32: [Int: String]] = [:]
    var capabilities: [UInt32] = []
    var variables: [(id: UInt32, type: UInt32, storageClass: UInt32)] = []
    var structMembers: [UInt32: [UInt32]] = [:]
    var specConstants: [UInt32: (type: UInt32, bits: UInt32)] = [:]
    /// Constants of 32 bits, specialisable ones at their defaults.
    var values: [UInt32: UInt32] = [:]
    var localSize: [Extent]?
    /// Variables that the code loads from and stores to.
    private(set) var loaded: Set<UInt32> = [], stored: Set<UInt32> = []
    /// The variable that a pointer reaches into.
    private var roots: [UInt32: UInt32] = [:]
    private var pointers: [UInt32: UInt32] = [:]
    private var scalars: [UInt32: String] = [:]
    private var sizes: [UInt32: Int] = [:]
    private var decorations: [UInt32: [UInt32: UInt32]] = [:]
    private var memberDecorations: [UInt32: [Int: [UInt32: UInt32]]] = [:]

    /// - Throws: what is malformed, and at which word.
    init(_ words: [UInt32]) throws(BuildError) {
        try forEachInstruction(words) { opcode, w in
            noteAccess(opcode, w)
            switch opcode {
            case 5: names[w[1]] = literalString(w.dropFirst(2))
            case 6: memberNames[w[1], default: [:]][Int(w[2])] = literalString(w.dropFirst(3))
            case 17: capabilities.append(w[1])
            case 16 where w[2] == 17: localSize = w[3...5].map { .literal($0) }
            case 331 where w[2] == 38: localSize = w[3...5].map { .id($0) }
            case 71: decorations[w[1], default: [:]][w[2]] = w.count > 3 ? w[3] : 1
            case 72: memberDecorations[w[1], default: [:]][Int(w[2]), default: [:]][w[3]] = w.count > 4 ? w[4] : 1
            case 20:  // OpTypeBool
                scalars[w[1]] = "Bool"
                sizes[w[1]] = 4
            case 21:  // OpTypeInt
                scalars[w[1]] = w[2] == 32 ? (w[3] == 1 ? "Int32" : "UInt32") : nil
                sizes[w[1]] = Int(w[2]) / 8
            case 22:  // OpTypeFloat
                scalars[w[1]] = w[2] == 32 ? "Float" : nil
                sizes[w[1]] = Int(w[2]) / 8
            case 23: sizes[w[1]] = (sizes[w[2]] ?? 0) * Int(w[3])
            case 28: sizes[w[1]] = (sizes[w[2]] ?? 0) * Int(values[w[3]] ?? 0)
            case 30:
                structMembers[w[1]] = Array(w.dropFirst(2))
                sizes[w[1]] = w.dropFirst(2).reduce(0) { $0 + (sizes[$1] ?? 0) }
            case 32: pointers[w[1]] = w[3]
            case 43: values[w[2]] = w[3]
            case 48, 49: specConstants[w[2]] = (w[1], opcode == 48 ? 1 : 0)
            case 50:
                specConstants[w[2]] = (w[1], w[3])
                values[w[2]] = w[3]
            case 52: values[w[2]] = specOperation(w)
            case 59: variables.append((w[2], w[1], w[3]))
            default: break
            }
        }
        // A BuiltIn WorkgroupSize composite of constants is glslang's older spelling; 1.3 targets use LocalSizeId.
    }

    func decoration(_ id: UInt32, _ kind: UInt32) -> UInt32? { decorations[id]?[kind] }
    func memberDecoration(_ id: UInt32, _ member: Int, _ kind: UInt32) -> UInt32? {
        memberDecorations[id]?[member]?[kind]
    }
    func pointee(_ type: UInt32) -> UInt32 { pointers[type] ?? 0 }
    func scalarType(_ type: UInt32) -> String? { scalars[type] }
    func byteCount(_ type: UInt32) -> Int { sizes[type] ?? 0 }

    /// Follows loads, stores and atomics back to the variable.
    private mutating func noteAccess(_ opcode: UInt32, _ w: [UInt32]) {
        func root(_ id: UInt32) -> UInt32 { roots[id] ?? id }
        switch opcode {
        case 65...67, 83: roots[w[2]] = root(w[3])  // access chains, a copy
        case 61, 227, 4457: loaded.insert(root(w[3]))
        case 62, 228, 4458: stored.insert(root(w[1]))
        case 229...242:  // the other atomics
            loaded.insert(root(w[3]))
            stored.insert(root(w[3]))
        case 57:  // a function may do both with what it is given
            loaded.formUnion(w.dropFirst(4).map(root))
            stored.formUnion(w.dropFirst(4).map(root))
        default: break
        }
    }

    /// OpSpecConstantOp on two 32-bit operands or a select: what sizes of shared arrays are made of.
    private func specOperation(_ w: [UInt32]) -> UInt32? {
        let operands = w.dropFirst(4).map { values[$0] ?? specConstants[$0]?.bits ?? 0 }
        guard let a = operands.first else { return nil }
        let b = operands.count > 1 ? operands[1] : 0
        switch w[3] {
        case 128: return a &+ b
        case 130: return a &- b
        case 132: return a &* b
        case 134: return b == 0 ? nil : a / b
        case 137: return b == 0 ? nil : a % b
        case 169: return a != 0 ? b : operands.last
        case 170: return a == b ? 1 : 0
        case 171: return a != b ? 1 : 0
        case 194: return a >> b
        case 196: return a << b
        default: return nil
        }
    }
}

/// Calls `body` with each instruction's opcode and words, numbered as in the specification: the first holds opcode and
/// length.
func forEachInstruction(_ words: [UInt32], _ body: (UInt32, [UInt32]) -> Void) throws(BuildError) {
    guard let magic = words.first, magic == 0x0723_0203 else {
        let found = words.first.map { "0x" + String($0, radix: 16) } ?? "no words"
        throw BuildError("SPIR-V: expected 0x7230203 at its start, found \(found)")
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

/// The words that an instruction has at least, of those that reflection reads.
private func leastLength(_ opcode: UInt32, _ w: ArraySlice<UInt32>) -> Int {
    switch opcode {
    case 17, 20, 30: 2
    case 5, 22, 48, 49, 62, 71: 3
    // A workgroup's size has three operands more than another execution mode.
    case 16, 331: w.count > 2 && [17, 38].contains(w[w.startIndex + 2]) ? 6 : 3
    case 6, 21, 23, 28, 32, 43, 50, 52, 57, 59, 61, 65...67, 72, 83, 227, 4457: 4
    case 228, 4458: 3
    case 229...242: 4
    default: 1
    }
}

private func literalString(_ words: ArraySlice<UInt32>) -> String {
    let bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
}

/// The module without names and source text, which nobody reads in the embedded copy.
func strippedOfNames(_ words: [UInt32]) throws(BuildError) -> [UInt32] {
    let debug: Set<UInt32> = [2, 3, 4, 5, 6, 7, 8, 317, 330]
    var kept = Array(words.prefix(5))
    try forEachInstruction(words) { opcode, w in
        if !debug.contains(opcode) { kept += w }
    }
    return kept
}
