/// The width of text in terminal cells.
///
/// Terminals agree on single scalars and on combining marks, but not on joined emoji: older terminals draw each part.
/// `measure` reports whether a width is certain; after an uncertain one the renderer positions the cursor explicitly.
public enum CellWidth {
    /// Cells of one scalar on its own: 0 for marks and format characters, 2 for East Asian wide ones and emoji, else 1.
    ///
    /// Control characters have no width; they are shown in a visible form instead (see `Cell`).
    public static func of(_ scalar: Unicode.Scalar) -> Int {
        let value = scalar.value
        if value < 0x300 { return value < 0x20 || (0x7F..<0xA0).contains(value) || value == 0xAD ? 0 : 1 }
        // The vowels and final consonants of a decomposed Korean syllable are drawn inside the first consonant's cells.
        if (0x1160...0x11FF).contains(value) || (0xD7B0...0xD7FF).contains(value) { return 0 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control, .lineSeparator, .paragraphSeparator: return 0
        default: return isWide(value) ? 2 : 1
        }
    }

    /// Cells of one grapheme cluster as current terminals draw it.
    public static func of(_ character: Character) -> Int { measure(character).width }

    /// Cells of a text without control characters.
    public static func of(_ text: String) -> Int { text.reduce(0) { $0 + of($1) } }

    static func measure(_ character: Character) -> (width: Int, isCertain: Bool) {
        let scalars = character.unicodeScalars
        guard let first = scalars.first else { return (0, true) }
        guard scalars.count > 1 else { return (of(first), true) }
        // A flag is a pair of regional indicators.
        if isRegionalIndicator(first) { return (2, false) }

        var width = 0
        var isCertain = true
        var base = first
        var followsJoiner = false
        for scalar in scalars {
            switch scalar.value {
            case 0x200D:
                // Zero-width joiner: the next emoji is drawn as part of this one.
                followsJoiner = true
                isCertain = false
                continue
            case 0xFE0F where base.properties.isEmoji:
                // Variation selector 16 requests the coloured picture, two cells wide, even of a digit or a text
                // symbol.
                width = max(width, 2)
                isCertain = false
            case _ where scalar.properties.isEmojiModifier && width > 0:
                isCertain = false
            case _ where followsJoiner && scalar.properties.isEmoji:
                break
            default:
                let own = of(scalar)
                // A second scalar with a width (Indic conjuncts, spacing marks): the font decides the total.
                if own > 0 {
                    if width > 0 { isCertain = false }
                    base = scalar
                }
                width += own
            }
            followsJoiner = false
        }
        return (width, isCertain)
    }

    static func isRegionalIndicator(_ scalar: Unicode.Scalar) -> Bool { (0x1F1E6...0x1F1FF).contains(scalar.value) }

    private static func isWide(_ value: UInt32) -> Bool {
        guard value >= 0x1100 else { return false }
        var low = 0
        var high = wideScalars.count
        while low < high {
            let middle = (low + high) / 2
            let range = wideScalars[middle]
            if value < range.lowerBound {
                high = middle
            } else if value > range.upperBound {
                low = middle + 1
            } else {
                return true
            }
        }
        return false
    }
}
