/// One key press, paste or run of typed text.
public enum Key: Sendable, Equatable {
    /// A run of printable text.
    case text(String)
    /// A bracketed paste, line breaks as `\n`.
    case paste(String)
    case enter
    /// A line break inside the message: Alt-Enter, Ctrl-J, or Shift-Enter where the terminal reports it.
    case lineBreak
    case tab, escape
    case backspace, delete, wordBackspace
    case left, right, up, down, home, end, wordLeft, wordRight
    case control(Character)
    case alt(Character)
    /// A sequence without a meaning here (a mouse report, a function key).
    case unknown
}

extension Key {
    /// The key that sends a C0 control byte.
    init(controlByte byte: UInt8) {
        switch byte {
        case 0x09: self = .tab
        case 0x0A: self = .lineBreak
        case 0x0D: self = .enter
        case 0x08, 0x7F: self = .backspace
        case 0x1B: self = .escape
        // 1...26 are Ctrl-A to Ctrl-Z, the others Ctrl with @ [ \ ] ^ _.
        default: self = .control(Character(Unicode.Scalar(byte < 27 ? byte + 0x60 : byte + 0x40)))
        }
    }

    /// The key that sends the CSI sequence `ESC [ parameters final`.
    init(csi parameters: [Int], final: UInt8) {
        let modifier = parameters.count > 1 ? parameters[1] : 1
        let isWordwise = modifier == 3 || modifier == 5 || modifier == 7
        switch final {
        case UInt8(ascii: "A"): self = .up
        case UInt8(ascii: "B"): self = .down
        case UInt8(ascii: "C"): self = isWordwise ? .wordRight : .right
        case UInt8(ascii: "D"): self = isWordwise ? .wordLeft : .left
        case UInt8(ascii: "H"): self = .home
        case UInt8(ascii: "F"): self = .end
        case UInt8(ascii: "~"):
            switch parameters.first ?? 0 {
            case 1, 7: self = .home
            case 4, 8: self = .end
            case 3: self = .delete
            // xterm's modifyOtherKeys: 27 ; modifier ; code.
            case 27: self = parameters.last == 13 && modifier > 1 ? .lineBreak : .unknown
            default: self = .unknown
            }
        // The "CSI u" form of a key with a modifier.
        case UInt8(ascii: "u"):
            self = parameters.first == 13 ? (modifier > 1 ? .lineBreak : .enter) : .unknown
        default: self = .unknown
        }
    }

    /// The key that sends the SS3 sequence `ESC O final`: arrows and Home/End in application mode.
    init(ss3 final: UInt8) {
        switch final {
        case UInt8(ascii: "c"): self = .wordRight
        case UInt8(ascii: "d"): self = .wordLeft
        case UInt8(ascii: "M"): self = .enter
        default: self.init(csi: [], final: final)
        }
    }

    /// The key that sends ESC and then `byte`: a character typed with Alt.
    init(alt byte: UInt8) {
        switch byte {
        case 0x0D, 0x0A: self = .lineBreak
        case 0x7F, 0x08: self = .wordBackspace
        case UInt8(ascii: "b"), UInt8(ascii: "B"): self = .wordLeft
        case UInt8(ascii: "f"), UInt8(ascii: "F"): self = .wordRight
        case 0x20..<0x7F: self = .alt(Character(Unicode.Scalar(byte)))
        default: self = .unknown
        }
    }
}
