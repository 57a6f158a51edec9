/// One grapheme cluster of a line being edited, with the cells it takes when shown.
public struct Cell: Sendable, Equatable {
    public let character: Character
    /// Width of the shown form in terminal cells; 0 only for a line break.
    public let width: UInt8
    /// False where terminals differ about the width (joined emoji, conjuncts).
    let isCertain: Bool

    init(_ character: Character) {
        self.character = character
        if let ascii = character.asciiValue, (0x20..<0x7F).contains(ascii) {
            width = 1
            isCertain = true
        } else if character.isNewline && character == "\n" {
            width = 0
            isCertain = true
        } else if let form = visibleForm(of: character) {
            width = UInt8(clamping: CellWidth.of(form))
            isCertain = true
        } else {
            let measured = CellWidth.measure(character)
            width = UInt8(clamping: measured.width)
            isCertain = measured.isCertain
        }
    }

    var isLineBreak: Bool { width == 0 }

    /// The text that is written to the terminal for this cell.
    var shown: String { visibleForm(of: character) ?? String(character) }

    /// The grapheme clusters of a text, in order.
    static func cells(of text: String) -> [Cell] { text.map(Cell.init) }
}

/// The visible form of a character that would otherwise be invisible or act on the terminal: `^A`, `<202E>`, a tab's
/// four spaces, a mark without a base on a dotted circle. Nil for all others.
func visibleForm(of character: Character) -> String? {
    guard let first = character.unicodeScalars.first else { return nil }
    let value = first.value
    if value == 0x09 { return "    " }
    if value < 0x20, let letter = Unicode.Scalar(value + 0x40) { return "^" + String(Character(letter)) }
    if value == 0x7F { return "^?" }
    if value < 0x7F { return nil }
    if CellWidth.of(character) > 0 { return nil }
    switch first.properties.generalCategory {
    case .nonspacingMark, .enclosingMark: return "\u{25CC}" + String(character)
    default: return "<" + String(value, radix: 16, uppercase: true) + ">"
    }
}

/// Text from a model or a file, made safe to write to a terminal: control characters and changes of text direction
/// appear in a visible form. Keeps line breaks and tabs, removes carriage returns.
public func terminalSafe(_ text: String) -> String {
    // Fast path: almost all answer text needs no change.
    let isClean = text.utf8.allSatisfy { ($0 >= 0x20 && $0 < 0x7F) || $0 == 0x0A || $0 == 0x09 }
    if isClean { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar.value {
        case 0x0A, 0x09: result.unicodeScalars.append(scalar)
        case 0x0D: break
        case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069:
            result += visibleForm(of: Character(scalar)) ?? "\u{FFFD}"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}
