import JSON

/// How encoding treats the content of an added token that occurs in text.
public enum SpecialHandling: Sendable {
    /// As ordinary text: the result never contains the id of an added token.
    case asText
    /// As the added token.
    case parse
}

/// A byte-level byte-pair tokenizer, as Hugging Face's `tokenizer.json` describes it.
///
/// Encoding cuts text into pieces (pre-tokenization) and merges each piece's bytes into tokens by rank. Every text can be
/// encoded, and decoding gives back its bytes. Ids equal those of the `tokenizers` library for the files it supports.
public struct Tokenizer: Sendable {
    /// The file's name, for errors.
    public let name: String
    /// The highest id + 1. A model's vocabulary may be larger: its highest ids then have no token.
    public var vocabularySize: Int { tokens.count }

    let preTokenizer: PreTokenizer
    let merger: Merger
    /// The bytes of all tokens.
    let arena: [UInt8]
    /// For each id, its kind and its range in `arena`.
    let tokens: [Entry]
    let addedTokens: [String: Int32]
    /// Finders of added tokens, applied in order: tokens without `isNormalized`, then tokens with it.
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

    /// The token ids of `text`, without begin and end tokens (see `TokenizerConfig.addsBOS`).
    /// Throws only if matching a pattern exceeds a limit.
    public func encode(_ text: String, specials: SpecialHandling) throws(TextError) -> [Int32] {
        try encode(valid: Array(text.utf8), specials)
    }

    /// The token ids of UTF-8 text that may be malformed: each lone surrogate (in WTF-8), and each maximal subpart of
    /// another malformed sequence, counts as U+FFFD.
    public func encode(bytes: some Sequence<UInt8>, specials: SpecialHandling) throws(TextError) -> [Int32] {
        try encode(valid: UTF8Repair.repaired(Array(bytes)), specials)
    }

    private func encode(valid text: [UInt8], _ specials: SpecialHandling) throws(TextError) -> [Int32] {
        // Skips the setup of matching: chat templates encode many empty texts.
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

    /// The text of `ids`. Malformed UTF-8, such as a character whose last token is missing, becomes U+FFFD, one for
    /// each maximal subpart. `skipSpecials` omits special tokens. Throws if an id belongs to no token.
    public func decode(_ ids: [Int32], skipSpecials: Bool) throws(TextError) -> String {
        var bytes: [UInt8] = []
        for id in ids where try !(isKind(id, .special) && skipSpecials) { try append(id, to: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The bytes of one token, which may begin or end inside a character. Throws if no token has this id.
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

    /// Whether `id` belongs to a special token, which `skipSpecials` omits.
    public func isSpecial(_ id: Int32) -> Bool { (try? isKind(id, .special)) ?? false }

    /// Whether `id` belongs to an added token, special or not. Encoding `.asText` never produces one.
    public func isAdded(_ id: Int32) -> Bool {
        id >= 0 && id < tokens.count && tokens[Int(id)].kind.rawValue >= Kind.added.rawValue
    }

    /// The ids and contents of all added tokens, in ascending order of id.
    public var addedTokenContents: [(id: Int32, content: String)] {
        addedTokens.map { ($0.value, $0.key) }.sorted { $0.0 < $1.0 }
    }
}
