/// Strings and numbers.
extension JSONReader {
    /// Reads a string; replaces each lone surrogate escape, which is not valid in Unicode text, by U+FFFD.
    public mutating func readString() throws(JSONError) -> String {
        guard nextByte() == UInt8(ascii: "\"") else { throw mismatch("a string") }
        return String(decoding: try stringBytes(.replaced), as: UTF8.self)
    }

    /// Reads a string as UTF-8 bytes, which are valid until the reader's next call. Encodes a lone surrogate escape in
    /// three bytes (WTF-8), so that no information is lost.
    public mutating func readStringBytes() throws(JSONError) -> UnsafeRawBufferPointer {
        guard nextByte() == UInt8(ascii: "\"") else { throw mismatch("a string") }
        return try stringBytes(.wtf8)
    }

    /// Reads a 64-bit integer, written without fraction and exponent.
    public mutating func readInt() throws(JSONError) -> Int {
        let number = try readNumber(expected: "an integer")
        guard let value = number.int else {
            throw error("a 64-bit integer", at: offset - number.text.utf8.count, found: number.text)
        }
        return value
    }

    /// Reads a double, rounded to nearest. Throws if the number exceeds the range of a double.
    public mutating func readDouble() throws(JSONError) -> Double {
        let number = try readNumber(expected: "a number")
        guard let value = number.double else {
            throw error(
                "a number within double precision's range", at: offset - number.text.utf8.count, found: number.text)
        }
        return value
    }

    /// Reads a number and keeps its digits as written.
    public mutating func readNumber() throws(JSONError) -> JSONNumber { try readNumber(expected: "a number") }

    private mutating func readNumber(expected: String) throws(JSONError) -> JSONNumber {
        guard let byte = nextByte(), byte == UInt8(ascii: "-") || Self.isDigit(byte) else { throw mismatch(expected) }
        return JSONNumber(checked: String(decoding: try numberBytes(), as: UTF8.self))
    }

    // MARK: Implementation

    enum LoneSurrogates {
        case wtf8, replaced
    }

    /// Consumes a number and checks its grammar: `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`.
    mutating func numberBytes() throws(JSONError) -> Slice<UnsafeRawBufferPointer> {
        _ = nextByte()
        let start = offset
        if current == UInt8(ascii: "-") { offset += 1 }
        if current == UInt8(ascii: "0") {
            offset += 1
            if Self.isDigit(current) { throw error("no digit after a leading zero") }
        } else {
            try digits()
        }
        if current == UInt8(ascii: ".") {
            offset += 1
            try digits()
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            offset += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { offset += 1 }
            try digits()
        }
        return bytes[start..<offset]
    }

    private var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    static func isDigit(_ byte: UInt8?) -> Bool { byte.map { $0 &- UInt8(ascii: "0") < 10 } ?? false }

    private mutating func digits() throws(JSONError) {
        guard Self.isDigit(current) else { throw error("a digit") }
        while Self.isDigit(current) { offset += 1 }
    }

    /// Consumes the string whose opening quote comes next. The result points into the input or into `scratch`.
    mutating func stringBytes(_ surrogates: LoneSurrogates) throws(JSONError) -> UnsafeRawBufferPointer {
        _ = nextByte()
        offset += 1
        let start = offset
        try plainRun()
        if bytes[offset] == UInt8(ascii: "\"") {
            offset += 1
            return UnsafeRawBufferPointer(rebasing: bytes[start..<offset - 1])
        }
        scratch.removeAll()
        scratch.append(bytes[start..<offset])
        while bytes[offset] != UInt8(ascii: "\"") {
            try escape(surrogates)
            let run = offset
            try plainRun()
            scratch.append(bytes[run..<offset])
        }
        offset += 1
        return scratch.contents
    }

    /// Advances to the next quote or backslash, checking every byte before it.
    @inline(__always)
    private mutating func plainRun() throws(JSONError) {
        var place = offset
        let end = bytes.count
        while place < end {
            let byte = bytes[place]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                offset = place
                return
            }
            if byte &- 0x20 < 0x60 {
                place += 1
            } else if byte < 0x20 {
                throw error("an escape instead of a control character", at: place)
            } else {
                let length = utf8SequenceLength(at: place)
                guard length > 0 else { throw error("valid UTF-8", at: place) }
                place += length
            }
        }
        throw error("the string's closing quote", at: end)
    }

    /// Length in bytes of the well-formed multi-byte sequence at `place` (Unicode 15, table 3-7), or 0.
    private func utf8SequenceLength(at place: Int) -> Int {
        func byte(_ index: Int) -> UInt8 { place + index < bytes.count ? bytes[place + index] : 0 }
        func continues(_ index: Int) -> Bool { byte(index) & 0xC0 == 0x80 }
        switch byte(0) {
        case 0xC2...0xDF: return continues(1) ? 2 : 0
        case 0xE0: return (0xA0...0xBF).contains(byte(1)) && continues(2) ? 3 : 0
        case 0xED: return (0x80...0x9F).contains(byte(1)) && continues(2) ? 3 : 0
        case 0xE1...0xEF: return continues(1) && continues(2) ? 3 : 0
        case 0xF0: return (0x90...0xBF).contains(byte(1)) && continues(2) && continues(3) ? 4 : 0
        case 0xF1...0xF3: return continues(1) && continues(2) && continues(3) ? 4 : 0
        case 0xF4: return (0x80...0x8F).contains(byte(1)) && continues(2) && continues(3) ? 4 : 0
        default: return 0
        }
    }

    private mutating func escape(_ surrogates: LoneSurrogates) throws(JSONError) {
        offset += 1
        guard let letter = current else { throw error("an escape") }
        offset += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scratch.append(letter)
        case UInt8(ascii: "b"): scratch.append(0x08)
        case UInt8(ascii: "f"): scratch.append(0x0C)
        case UInt8(ascii: "n"): scratch.append(0x0A)
        case UInt8(ascii: "r"): scratch.append(0x0D)
        case UInt8(ascii: "t"): scratch.append(0x09)
        case UInt8(ascii: "u"): try unicodeEscape(surrogates)
        default: throw error("one of the escapes \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u", at: offset - 1)
        }
    }

    private mutating func unicodeEscape(_ surrogates: LoneSurrogates) throws(JSONError) {
        var scalar = try hexDigits()
        if scalar & 0xFC00 == 0xD800, offset + 1 < bytes.count, bytes[offset] == UInt8(ascii: "\\"),
            bytes[offset + 1] == UInt8(ascii: "u")
        {
            let before = offset
            offset += 2
            let low = try hexDigits()
            if low & 0xFC00 == 0xDC00 {
                scalar = 0x10000 + (scalar & 0x3FF) << 10 + (low & 0x3FF)
            } else {
                offset = before
            }
        }
        if scalar & 0xFFFF_F800 == 0xD800, surrogates == .replaced { scalar = 0xFFFD }
        func continuation(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(scalar >> shift & 0x3F) }
        if scalar < 0x80 {
            scratch.append(UInt8(scalar))
        } else if scalar < 0x800 {
            scratch.append(0xC0 | UInt8(scalar >> 6))
        } else if scalar < 0x10000 {
            scratch.append(0xE0 | UInt8(scalar >> 12))
            scratch.append(continuation(6))
        } else {
            scratch.append(0xF0 | UInt8(scalar >> 18))
            scratch.append(continuation(12))
            scratch.append(continuation(6))
        }
        if scalar >= 0x80 { scratch.append(continuation(0)) }
    }

    private mutating func hexDigits() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw error("four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        return value
    }
}
