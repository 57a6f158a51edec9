/// Decodes ids as they come, without ever cutting a character: the texts that it returns, put together, are what
/// `Tokenizer.decode` gives for all ids at once.
public struct StreamDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipSpecials: Bool
    /// The beginning of a scalar whose other bytes have not come yet.
    private var pending: [UInt8] = []

    public init(_ tokenizer: Tokenizer, skipSpecials: Bool) {
        self.tokenizer = tokenizer
        self.skipSpecials = skipSpecials
    }

    /// The text that `id` completes: empty while a scalar's bytes are still coming, U+FFFD for bytes that cannot become one.
    /// Throws on an id that no token has.
    public mutating func feed(_ id: Int32) throws(TextError) -> String {
        let bytes = try tokenizer.bytes(of: id)
        if skipSpecials, tokenizer.isSpecial(id) { return "" }
        pending += bytes
        let complete = pending.count - UTF8Repair.incompleteSuffixLength(pending)
        defer { pending.removeFirst(complete) }
        return String(decoding: pending[..<complete], as: UTF8.self)
    }

    /// What is left at the end: U+FFFD if a scalar was cut off, else nothing.
    public mutating func flush() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }
}
