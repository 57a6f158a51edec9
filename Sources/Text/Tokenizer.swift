import JSON

/// What an added token's content means when it occurs in text.
public enum SpecialHandling: Sendable {
    /// It is text like any other: no text can yield the id of an added token.
    case asText
    /// It is the token.
    case parse
}

/// A byte-level byte-pair tokenizer, as Hugging Face's `tokenizer.json` describes it.
///
/// Encoding cuts text into pieces (pre-tokenization) and merges each piece's bytes into tokens by rank. Every text can be
/// encoded, and decoding gives back its bytes. Ids equal those of the `tokenizers` library for the files it supports.
public struct Tokenizer: Sendable {
    /// The file's name, for errors.
    public let name: String
    /// The highest id + 1. A model may have more: ids that no token has.
    public var vocabularySize: Int { tokens.count }

    let preTokenizer: PreTokenizer
    let merger: Merger
    /// The bytes of all tokens, and where each id's lie.
    let arena: [UInt8]
    let tokens: [Entry]
    let addedTokens: [String: Int32]
    /// Added tokens in the two groups that are looked for one after the other.
    let matchers: [AddedTokenMatcher]

    struct Entry: Sendable {
        var start: UInt32 = 0
        var count: UInt32 = 0
        var kind = Kind.vacant
    }

    enum Kind: UInt8 {
        /// No token has this id.
        case vacant
        case merged
        case added
        case special
    }

    // MARK: Encoding

    /// The token ids of `text`, without any that frame it (see `TokenizerConfig.addsBOS`).
    /// Throws only if a pattern runs into its limits.
    public func encode(_ text: String, specials: SpecialHandling) throws(TextError) -> [Int32] {
        try encode(valid: Array(text.utf8), specials)
    }

    /// The token ids of text in UTF-8 that may be damaged: a lone surrogate (in WTF-8) and each maximal part of an otherwise
    /// malformed sequence count as U+FFFD.
    public func encode(bytes: some Sequence<UInt8>, specials: SpecialHandling) throws(TextError) -> [Int32] {
        try encode(valid: UTF8Repair.repaired(Array(bytes)), specials)
    }

    private func encode(valid text: [UInt8], _ specials: SpecialHandling) throws(TextError) -> [Int32] {
        // Before matching makes itself ready: a conversation's layout has many.
        guard !text.isEmpty else { return [] }
        var ids: [Int32] = []
        var scratch = Merger.Scratch()
        var matchScratch = MatchScratch()
        try text.withUnsafeBufferPointer { (buffer) throws(TextError) in
            var segments = [AddedTokenMatcher.Segment.text(0..<buffer.count)]
            if specials == .parse {
                for matcher in matchers {
                    segments = segments.flatMap { segment in
                        guard case .text(let range) = segment else { return [segment] }
                        return matcher.segments(of: buffer, in: range)
                    }
                }
            }
            for segment in segments {
                switch segment {
                case .token(let id): ids.append(id)
                case .text(let range):
                    let part = UnsafeBufferPointer(rebasing: buffer[range])
                    for piece in try preTokenizer.pieces(of: part, &matchScratch) {
                        merger.merge(UnsafeBufferPointer(rebasing: part[piece]), into: &ids, &scratch)
                    }
                }
            }
        }
        return ids
    }

    // MARK: Decoding

    /// The text of `ids`. Bytes that are not UTF-8, as where a character's tokens are cut off, become U+FFFD, one for each
    /// maximal part of a malformed sequence. `skipSpecials` leaves special tokens out. Throws on an id that no token has.
    public func decode(_ ids: [Int32], skipSpecials: Bool) throws(TextError) -> String {
        var bytes: [UInt8] = []
        for id in ids where try !(isKind(id, .special) && skipSpecials) { try append(id, to: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The bytes of one token, which need not be whole characters. Throws on an id that no token has.
    public func bytes(of id: Int32) throws(TextError) -> [UInt8] {
        var bytes: [UInt8] = []
        try append(id, to: &bytes)
        return bytes
    }

    private func append(_ id: Int32, to bytes: inout [UInt8]) throws(TextError) {
        let entry = try entry(id)
        bytes += arena[Int(entry.start)..<Int(entry.start + entry.count)]
    }

    private func entry(_ id: Int32) throws(TextError) -> Entry {
        guard id >= 0, id < tokens.count, tokens[Int(id)].kind != .vacant else {
            throw .unknownID(id, vocabularySize: vocabularySize)
        }
        return tokens[Int(id)]
    }

    private func isKind(_ id: Int32, _ kind: Kind) throws(TextError) -> Bool { try entry(id).kind == kind }

    // MARK: Added tokens

    /// The id of the added token, special or not, with this content.
    public func id(of addedToken: String) -> Int32? { addedTokens[addedToken] }

    /// Whether `id` is a special token's: one that `skipSpecials` leaves out.
    public func isSpecial(_ id: Int32) -> Bool { (try? isKind(id, .special)) ?? false }

    /// Whether `id` is an added token's, special or not: one that text alone never yields.
    public func isAdded(_ id: Int32) -> Bool {
        id >= 0 && id < tokens.count && tokens[Int(id)].kind.rawValue >= Kind.added.rawValue
    }

    /// The contents of all added tokens by id.
    public var addedTokenContents: [(id: Int32, content: String)] {
        addedTokens.map { ($0.value, $0.key) }.sorted { $0.0 < $1.0 }
    }
}
