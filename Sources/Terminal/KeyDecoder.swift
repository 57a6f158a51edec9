/// Decodes the bytes that a terminal sends into keys. Input may be split anywhere, also inside a character or a
/// sequence.
public struct KeyDecoder: Sendable {
    private enum State: Equatable {
        case ground, escape, csi, ss3, paste
        /// A string sequence (OSC, DCS, …), which ends with BEL or ESC \. Its content is discarded.
        case string(sawEscape: Bool)
    }

    private var state = State.ground
    private var text: [UInt8] = []
    private var parameters: [UInt8] = []
    private var pasted: [UInt8] = []
    /// Longer sequences are discarded as noise.
    private static let longestSequence = 64
    private static let pasteEnd: [UInt8] = Array("\u{1B}[201~".utf8)

    public init() {}

    /// True after an ESC that may be the Escape key or the start of a sequence. The caller calls `flush()` if no byte
    /// follows within about 0.1 s.
    public var awaitsSequence: Bool {
        switch state {
        case .escape, .csi, .ss3, .string: true
        case .ground, .paste: false
        }
    }

    /// Returns the keys that these bytes complete.
    public mutating func decode(_ bytes: some Sequence<UInt8>) -> [Key] {
        var keys: [Key] = []
        for byte in bytes { step(byte, &keys) }
        // Emits the text up to its last complete character.
        if state == .ground { emitText(complete: false, &keys) }
        return keys
    }

    /// Ends an incomplete sequence: a lone ESC becomes the Escape key, any other sequence is discarded.
    public mutating func flush() -> [Key] {
        defer { state = state == .paste || state == .ground ? state : .ground }
        return state == .escape ? [.escape] : []
    }

    private mutating func step(_ byte: UInt8, _ keys: inout [Key]) {
        switch state {
        case .ground:
            if byte >= 0x20, byte != 0x7F {
                text.append(byte)
                return
            }
            emitText(complete: true, &keys)
            if byte == 0x1B { state = .escape } else { keys.append(Key(controlByte: byte)) }
        case .escape:
            switch byte {
            case UInt8(ascii: "["):
                parameters = []
                state = .csi
            case UInt8(ascii: "O"): state = .ss3
            case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "_"), UInt8(ascii: "^"), UInt8(ascii: "X"):
                parameters = []
                state = .string(sawEscape: false)
            case 0x1B: keys.append(.escape)
            case 0x80...:
                // Alt with a letter outside ASCII yields the letter itself.
                state = .ground
                text.append(byte)
            default:
                state = .ground
                keys.append(Key(alt: byte))
            }
        case .csi: stepCSI(byte, &keys)
        case .ss3:
            state = .ground
            keys.append(Key(ss3: byte))
        case .string(let sawEscape):
            parameters.append(byte)
            if byte == 0x07 || (sawEscape && byte == UInt8(ascii: "\\")) || parameters.count > 4096 {
                state = .ground
            } else {
                state = .string(sawEscape: byte == 0x1B)
            }
        case .paste:
            pasted.append(byte)
            if byte == UInt8(ascii: "~"), pasted.suffix(Self.pasteEnd.count).elementsEqual(Self.pasteEnd) {
                pasted.removeLast(Self.pasteEnd.count)
                keys.append(.paste(normalizedLineBreaks(pasted)))
                pasted = []
                state = .ground
            }
        }
    }

    private mutating func stepCSI(_ byte: UInt8, _ keys: inout [Key]) {
        switch byte {
        case 0x40...0x7E where !(byte == UInt8(ascii: "[") && parameters.isEmpty):
            let numbers = parameters.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false).map { part in
                part.reduce(0) { value, digit in
                    (0x30...0x39).contains(digit) ? min(value * 10 + Int(digit) - 0x30, 1_000_000) : value
                }
            }
            state = .ground
            if byte == UInt8(ascii: "~"), numbers.first == 200 {
                state = .paste
            } else if byte == UInt8(ascii: "~"), numbers.first == 201 {
                // The end of a paste without a start: ignored.
            } else {
                keys.append(Key(csi: numbers, final: byte))
            }
        case 0x1B:
            // A new sequence starts inside a broken one.
            state = .escape
        case 0x18, 0x1A: state = .ground
        default:
            parameters.append(byte)
            if parameters.count > Self.longestSequence { state = .ground }
        }
    }

    private mutating func emitText(complete: Bool, _ keys: inout [Key]) {
        let held = complete ? 0 : incompleteTailLength(text)
        guard text.count > held else { return }
        keys.append(.text(String(decoding: text.dropLast(held), as: UTF8.self)))
        text.removeFirst(text.count - held)
    }
}

/// Pasted bytes as text: malformed UTF-8 replaced by U+FFFD, CR and CR LF by `\n`.
private func normalizedLineBreaks(_ bytes: [UInt8]) -> String {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var previous: UInt8 = 0
    for byte in bytes {
        if byte == 0x0D {
            result.append(0x0A)
        } else if !(byte == 0x0A && previous == 0x0D) {
            result.append(byte)
        }
        previous = byte
    }
    return String(decoding: result, as: UTF8.self)
}

/// Number of bytes at the end that form an incomplete UTF-8 character.
func incompleteTailLength(_ bytes: some BidirectionalCollection<UInt8>) -> Int {
    var length = 0
    for byte in bytes.reversed() {
        length += 1
        switch byte {
        case 0x80..<0xC0: if length == 4 { return 0 }
        case 0xC2..<0xE0: return length < 2 ? length : 0
        case 0xE0..<0xF0: return length < 3 ? length : 0
        case 0xF0..<0xF5: return length < 4 ? length : 0
        default: return 0
        }
    }
    return 0
}
