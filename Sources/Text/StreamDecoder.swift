/// Decodes ids one at a time and never splits a character. The returned texts, concatenated, equal `Tokenizer.decode`
/// of all ids.
public struct StreamDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipSpecials: Bool
    /// The first bytes of a scalar whose other bytes have not arrived yet.
    private var pending: [UInt8] = []

    public init(_ tokenizer: Tokenizer, skipSpecials: Bool) {
        self.tokenizer = tokenizer
        self.skipSpecials = skipSpecials
    }

    /// The text that `id` completes: empty while a scalar is incomplete, U+FFFD for bytes that cannot form a scalar.
    /// Throws if no token has this id.
    public mutating func feed(_ id: Int32) throws(TextError) -> String {
        let bytes = try tokenizer.bytes(of: id)
        if skipSpecials, tokenizer.isSpecial(id) { return "" }
        pending += bytes
        let complete = pending.count - UTF8Repair.incompleteSuffixLength(pending)
        defer { pending.removeFirst(complete) }
        return String(decoding: pending[..<complete], as: UTF8.self)
    }

    /// Ends the text: returns U+FFFD if a scalar is incomplete, else an empty string.
    public mutating func flush() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }
}
