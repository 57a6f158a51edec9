import JSON

extension Tokenizer {
    /// Ids must be below this: memory grows with the highest id, and a higher one indicates a damaged file.
    private static let maximumID = 1 << 24

    /// Reads a `tokenizer.json`. Errors contain `name`.
    ///
    /// Supports byte-level byte-pair models: no normaliser; Split, Digits and ByteLevel pre-tokenizers; the ByteLevel
    /// decoder. Other settings that would change ids or text throw. Ignores `truncation`, `padding` and a
    /// post-processor's begin and end tokens, which the caller handles.
    public init(json: [UInt8], name: String) throws(TextError) {
        self = try json.withUnsafeBufferPointer { (bytes) throws(TextError) in
            try Tokenizer(json: UnsafeRawBufferPointer(bytes), name: name)
        }
    }

    /// As `init(json:name:)`; `json` need not outlive the call.
    public init(json: UnsafeRawBufferPointer, name: String) throws(TextError) {
        let file = try readingFile { () throws(JSONError) in try TokenizerFile(json, name: name) }
        let preTokenizer = try PreTokenizer(readingFile { () throws(JSONError) in try file.root["pre_tokenizer"] })
        self = try readingFile { () throws(JSONError) in
            try file.checkSupported()
            return try Tokenizer(file, preTokenizer: preTokenizer)
        }
    }

    private init(_ file: TokenizerFile, preTokenizer: PreTokenizer) throws(JSONError) {
        var duplicate: Int?
        let index = StringIndex(file.vocabulary, duplicate: &duplicate)
        if let duplicate {
            throw file.error("model.vocab", expected: "each token once", found: file.quoted(file.vocabulary, duplicate))
        }
        let added = try file.addedTokens()
        let highest = max(file.ids.max() ?? 0, added.map { Int($0.id) }.max() ?? 0)
        guard highest < Self.maximumID, file.ids.allSatisfy({ $0 >= 0 }) else {
            throw file.error("model.vocab", expected: "ids from 0 to \(Self.maximumID - 1)", found: "another id")
        }

        var entries = [Entry](repeating: Entry(), count: highest + 1)
        var arena: [UInt8] = []
        arena.reserveCapacity(file.vocabulary.bytes.count)
        var byteIDs = [Int32](repeating: -1, count: 256)
        file.vocabulary.bytes.withUnsafeBytes { bytes in
            for (index, id) in file.ids.enumerated() {
                if entries[id].kind != .vacant { duplicate = id }
                let characters = UnsafeRawBufferPointer(rebasing: bytes[file.vocabulary.range(index)])
                let start = arena.count
                // No merge produces a token with characters outside the alphabet: its bytes are kept as written.
                if ByteLevel.decode(characters, into: &arena) {
                    if arena.count == start + 1 { byteIDs[Int(arena[start])] = Int32(id) }
                } else {
                    arena += characters
                }
                entries[id] = Entry(start: UInt32(start), count: UInt32(arena.count - start), kind: .merged)
            }
        }
        if let duplicate { throw file.error("model.vocab", expected: "each id once", found: "\(duplicate) twice") }
        // UTF-8 never uses C0, C1 and F5 to FF.
        for byte in 0..<0xF5 where byteIDs[byte] < 0 && byte != 0xC0 && byte != 0xC1 {
            throw file.error("model.vocab", expected: "a token for every byte of UTF-8", found: "none for \(byte)")
        }

        var addedIDs: [String: Int32] = [:]
        for (position, token) in added.enumerated() {
            let content = Array(token.content.utf8)
            if entries[Int(token.id)].kind == .vacant || entries[Int(token.id)].kind == .merged {
                let start = arena.count
                arena += content
                entries[Int(token.id)] = Entry(
                    start: UInt32(start), count: UInt32(content.count), kind: token.isSpecial ? .special : .added)
            } else {
                throw file.error("added_tokens[\(position)].id", expected: "each id once", found: "\(token.id) twice")
            }
            let inVocabulary = content.withUnsafeBufferPointer {
                index.find($0, UnsafeBufferPointer(rebasing: $0[0..<0]))
            }
            if let inVocabulary, file.ids[inVocabulary] != token.id {
                throw file.error(
                    "added_tokens[\(position)].id", expected: "\(file.ids[inVocabulary]) as in model.vocab",
                    found: "\(token.id)")
            }
            guard addedIDs.updateValue(token.id, forKey: token.content) == nil else {
                throw file.error(
                    "added_tokens[\(position)].content", expected: "each content once", found: token.content)
            }
        }
        // Text must not become a control token: neither as a single byte nor as the result of a merge.
        for (byte, id) in byteIDs.enumerated() where id >= 0 && entries[Int(id)].kind != .merged {
            throw file.error("added_tokens", expected: "no token that is a single byte", found: "\(byte)")
        }

        self.name = file.name
        self.preTokenizer = preTokenizer
        self.merger = try file.merger(index: index, entries: entries, byteIDs: byteIDs)
        self.arena = arena
        self.tokens = entries
        self.addedTokens = addedIDs
        self.matchers = [false, true].map { isNormalized in
            AddedTokenMatcher(added.filter { $0.isNormalized == isNormalized })
        }
    }
}

/// The parsed parts of a `tokenizer.json`.
private struct TokenizerFile {
    let name: String
    /// The document without the vocabulary and the merges.
    let root: JSONField
    /// The tokens as written, in the byte-level alphabet.
    private(set) var vocabulary = StringTable()
    /// The id of each entry of `vocabulary`.
    private(set) var ids: [Int] = []
    /// Each merge's left and right token, separated by a space.
    private var merges = StringTable()

    init(_ json: UnsafeRawBufferPointer, name: String) throws(JSONError) {
        self.name = name
        var vocabulary = StringTable()
        var merges = StringTable()
        var ids: [Int] = []
        // Estimated from V3's file: 128,000 tokens with 1 MB of text in a file of 8 MB.
        vocabulary.reserve(count: json.count / 60, byteCount: json.count / 7)
        merges.reserve(count: json.count / 60, byteCount: json.count / 7)
        ids.reserveCapacity(json.count / 60)

        var members: [JSONMember] = []
        var reader = JSONReader(json, name: name)
        try reader.beginObject()
        while let key = try reader.nextKey() {
            if key == "model", try reader.peek() == .object {
                var model: [JSONMember] = []
                try reader.beginObject()
                while let key = try reader.nextKey() {
                    switch key {
                    case "vocab" where try reader.peek() == .object:
                        try reader.beginObject()
                        while let token = try reader.nextKeyBytes() {
                            vocabulary.append(token)
                            ids.append(try reader.readInt())
                        }
                    case "merges":
                        try reader.beginArray()
                        while try reader.nextElement() { try Self.readMerge(&reader, into: &merges) }
                    default: model.append(JSONMember(key, try reader.readValue()))
                    }
                }
                members.append(JSONMember(key, .object(model)))
            } else {
                members.append(JSONMember(key, try reader.readValue()))
            }
        }
        try reader.finish()
        root = JSONField(.object(members), name: name)
        self.vocabulary = vocabulary
        self.merges = merges
        self.ids = ids
    }

    /// Reads a merge, written "left right" or, in newer files, ["left", "right"].
    private static func readMerge(_ reader: inout JSONReader, into merges: inout StringTable) throws(JSONError) {
        guard try reader.peek() == .array else {
            merges.append(try reader.readStringBytes())
            return
        }
        var joined: [UInt8] = []
        try reader.beginArray()
        while try reader.nextElement() {
            if !joined.isEmpty { joined.append(UInt8(ascii: " ")) }
            joined += try reader.readStringBytes()
        }
        joined.withUnsafeBytes { merges.append($0) }
    }

    func error(_ path: String, expected: String, found: String) -> JSONError {
        JSONError(name: name, location: .path(path), expected: expected, found: found)
    }

    func quoted(_ table: StringTable, _ index: Int) -> String { JSONValue.string(table.string(index)).serialized() }

    /// Throws for every unsupported setting that would change ids or text.
    func checkSupported() throws(JSONError) {
        try Self.checkNoNormalizer(try root["normalizer"])
        let model = try root["model"]
        guard try model["type"].string() == "BPE" else { throw try model["type"].error(expected: "BPE") }
        for key in ["byte_fallback", "ignore_merges"] where try model[key].present?.bool() ?? false {
            throw try model[key].error(expected: "false (true is not supported)")
        }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"]
        where try !(model[key].present?.string() ?? "").isEmpty {
            throw try model[key].error(expected: "null (others are not supported)")
        }
        if let dropout = try model["dropout"].present, try dropout.double() != 0 {
            throw dropout.error(expected: "null (dropout is for training)")
        }
        let decoder = try root["decoder"]["type"]
        guard try decoder.string() == "ByteLevel" else { throw decoder.error(expected: "ByteLevel") }
    }

    private static func checkNoNormalizer(_ field: JSONField) throws(JSONError) {
        guard let normalizer = field.present else { return }
        let type = try normalizer["type"]
        guard try type.string() == "Sequence" else {
            throw type.error(expected: "no normalizer (they are not supported)")
        }
        for step in try normalizer["normalizers"].array() { try checkNoNormalizer(step) }
    }

    func addedTokens() throws(JSONError) -> [AddedToken] {
        guard let list = try root["added_tokens"].present else { return [] }
        var tokens: [AddedToken] = []
        for field in try list.array() {
            func flag(_ key: String) throws(JSONError) -> Bool { try field[key].present?.bool() ?? false }
            let id = try field["id"]
            let content = try field["content"]
            guard let value = Int32(exactly: try id.int()), value >= 0 else { throw id.error(expected: "a token id") }
            guard try !content.string().isEmpty else { throw content.error(expected: "some text") }
            tokens.append(
                AddedToken(
                    id: value, content: try content.string(), isSpecial: try flag("special"),
                    isNormalized: try flag("normalized"), isSingleWord: try flag("single_word"),
                    stripsLeft: try flag("lstrip"), stripsRight: try flag("rstrip")))
        }
        return tokens
    }

    /// Resolves the merges from text to ids.
    func merger(index: StringIndex, entries: [Tokenizer.Entry], byteIDs: [Int32]) throws(JSONError) -> Merger {
        var merger = Merger(byteIDs: byteIDs, mergeCount: merges.count)
        var failure: (rank: Int, expected: String)?
        merges.bytes.withUnsafeBufferPointer { bytes in
            for rank in 0..<merges.count {
                let merge = UnsafeBufferPointer(rebasing: bytes[merges.range(rank)])
                let empty = UnsafeBufferPointer(rebasing: merge[0..<0])
                guard let space = merge.firstIndex(of: UInt8(ascii: " ")) else {
                    failure = (rank, "two tokens with a space between")
                    return
                }
                let left = UnsafeBufferPointer(rebasing: merge[..<space])
                let right = UnsafeBufferPointer(rebasing: merge[(space + 1)...])
                guard let leftIndex = index.find(left, empty), let rightIndex = index.find(right, empty),
                    let result = index.find(left, right)
                else {
                    failure = (rank, "two tokens of model.vocab that join to a third")
                    return
                }
                guard entries[ids[result]].kind == .merged else {
                    failure = (rank, "a merge that does not make an added token")
                    return
                }
                merger.insert(
                    left: Int32(ids[leftIndex]), right: Int32(ids[rightIndex]), rank: rank, result: Int32(ids[result]))
            }
        }
        if let failure {
            throw error(
                "model.merges[\(failure.rank)]", expected: failure.expected, found: quoted(merges, failure.rank))
        }
        return merger
    }
}
