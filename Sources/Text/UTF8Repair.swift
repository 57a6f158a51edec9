/// Repairs malformed UTF-8 and finds incomplete endings.
enum UTF8Repair {
    /// `bytes` as valid UTF-8: U+FFFD replaces each lone surrogate (in WTF-8) and each maximal subpart of another
    /// malformed sequence (Unicode 15, section 3.9).
    static func repaired(_ bytes: [UInt8]) -> [UInt8] {
        if bytes.withUnsafeBufferPointer({ String(validating: $0, as: UTF8.self) }) != nil { return bytes }
        var bytes = bytes
        for index in bytes.indices.dropLast(2)
        where bytes[index] == 0xED && bytes[index + 1] >= 0xA0 && bytes[index + 1] < 0xC0
            && bytes[index + 2] & 0xC0 == 0x80
        {
            bytes.replaceSubrange(index...index + 2, with: [0xEF, 0xBF, 0xBD])
        }
        return Array(String(decoding: bytes, as: UTF8.self).utf8)
    }

    /// The number of bytes at the end that begin a scalar which further bytes may complete: 0 to 3.
    static func incompleteSuffixLength(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let lead = bytes[bytes.count - length]
            if lead & 0xC0 == 0x80 { continue }
            let needed = lead >= 0xF5 ? 0 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0
            guard needed > length else { return 0 }
            if length == 1 { return 1 }
            // The second byte's range depends on the lead: no overlong forms, surrogates or values beyond U+10FFFF.
            let second = bytes[bytes.count - length + 1]
            let lowest: UInt8 = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80
            let highest: UInt8 = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF
            return (lowest...highest).contains(second) ? length : 0
        }
        return 0
    }
}
