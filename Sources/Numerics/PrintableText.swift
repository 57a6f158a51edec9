extension String {
    /// The text for one line of a terminal or a log: control characters, line breaks among them, and characters that change the
    /// direction of text appear in a visible form, as `^[` for ESC and `<202E>`.
    ///
    /// For strings from files, drivers and arguments: they could otherwise move the cursor, conceal text or forge lines.
    public var printable: String {
        if utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return self }
        var result = ""
        for scalar in unicodeScalars {
            switch scalar.value {
            case 0..<0x20: result += "^" + String(Character(Unicode.Scalar(UInt8(scalar.value) + 0x40)))
            case 0x7F: result += "^?"
            case 0x80..<0xA0, 0x61C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069:
                result += "<" + String(scalar.value, radix: 16, uppercase: true) + ">"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
