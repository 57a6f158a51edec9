/// The byte-level alphabet (GPT-2): a tokenizer file writes each byte of a token as one printable character.
///
/// Bytes that are printable in Latin-1 stand for themselves; the other 68 take U+0100 onwards in order, so a space is "Ġ".
enum ByteLevel {
    /// The byte that each character below U+0144 stands for, or -1.
    private static let bytes: [Int16] = {
        var table = [Int16](repeating: -1, count: 256 + 68)
        var next = 256
        for byte in 0..<256 {
            let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
            if isPrintable {
                table[byte] = Int16(byte)
            } else {
                table[next] = Int16(byte)
                next += 1
            }
        }
        return table
    }()

    /// Decodes `characters`, UTF-8 text in the byte-level alphabet, and appends the bytes to `arena`.
    /// Returns false and appends nothing if a character is outside the alphabet.
    static func decode(_ characters: UnsafeRawBufferPointer, into arena: inout [UInt8]) -> Bool {
        let start = arena.count
        var index = 0
        while index < characters.count {
            let lead = characters[index]
            var scalar = Int(lead)
            if lead >= 0x80 {
                // The whole alphabet lies below U+0800, two bytes a character.
                guard lead & 0xE0 == 0xC0, index + 1 < characters.count else { return undo(&arena, to: start) }
                scalar = Int(lead & 0x1F) << 6 | Int(characters[index + 1] & 0x3F)
                index += 1
            }
            guard scalar < bytes.count, bytes[scalar] >= 0 else { return undo(&arena, to: start) }
            arena.append(UInt8(bytes[scalar]))
            index += 1
        }
        return true
    }

    private static func undo(_ arena: inout [UInt8], to count: Int) -> Bool {
        arena.removeLast(arena.count - count)
        return false
    }
}
