/// Parts of small tokenizer files.
enum SmallTokenizer {
    /// The members of a vocabulary with a token for each byte, whose id is the byte.
    static let byteTokens = alphabet.enumerated().map { "\(quoted($1)):\($0)" }.joined(separator: ",")

    /// The characters of the byte-level alphabet for the bytes of `text`.
    static func letters(_ text: String) -> [String] { text.utf8.map { alphabet[Int($0)] } }

    static func quoted(_ text: String) -> String {
        text == "\"" || text == "\\" ? "\"\\\(text)\"" : "\"\(text)\""
    }

    private static let alphabet: [String] = {
        var next: UInt32 = 256
        return (UInt32(0)..<256).map { byte in
            let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
            if !isPrintable { next += 1 }
            return String(Character(Unicode.Scalar(isPrintable ? byte : next - 1)!))
        }
    }()
}
