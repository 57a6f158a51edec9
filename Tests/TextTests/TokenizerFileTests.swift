import JSON
import Testing
import Text

/// The effect of each field, and unsupported values, in small tokenizer files.
@Suite struct TokenizerFileTests {
    /// A file with a token for every byte, "ab" and "abc", modified by `change`, which gets the root's and the model's
    /// members.
    static func file(_ change: (inout [JSONMember], inout [JSONMember]) -> Void = { _, _ in }) -> [UInt8] {
        var vocabulary: [JSONMember] = []
        var next = 256
        for byte in 0..<256 {
            let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
            let scalar = isPrintable ? byte : next
            if !isPrintable { next += 1 }
            vocabulary.append(JSONMember(String(Character(Unicode.Scalar(scalar)!)), JSONValue(byte)))
        }
        vocabulary += [JSONMember("ab", 256), JSONMember("abc", 257)]
        var model = [
            JSONMember("type", "BPE"), JSONMember("vocab", .object(vocabulary)),
            JSONMember("merges", ["a b", ["ab", "c"]]),
        ]
        var root = [
            JSONMember("added_tokens", [["id": 258, "content": "<end>", "special": true]]),
            JSONMember("pre_tokenizer", ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false]),
            JSONMember("decoder", ["type": "ByteLevel"]),
        ]
        change(&root, &model)
        return Array(JSONValue.object(root + [JSONMember("model", .object(model))]).serialized().utf8)
    }

    static func tokenizer(added: [JSONValue]) throws -> Tokenizer {
        try Tokenizer(json: file { root, _ in root[0].value = .array(added) }, name: "t.json")
    }

    @Test func mergesByRank() throws {
        let tokenizer = try Tokenizer(json: Self.file(), name: "t.json")
        #expect(tokenizer.vocabularySize == 259)
        #expect(try tokenizer.encode("abcab", specials: .asText) == [257, 256])
        #expect(try tokenizer.encode("cab<end>b", specials: .parse) == [99, 256, 258, 98])
        #expect(try tokenizer.encode("é", specials: .asText) == [0xC3, 0xA9])
        #expect(try tokenizer.decode([257, 258], skipSpecials: true) == "abc")
    }

    @Test func addedTokensHonourTheirFlags() throws {
        let tokenizer = try Self.tokenizer(added: [
            ["id": 300, "content": "one", "single_word": true], ["id": 301, "content": "[L]", "lstrip": true],
            ["id": 302, "content": "[R]", "rstrip": true], ["id": 303, "content": "[LL]"],
            ["id": 304, "content": "[L][R]x"],
            ["id": 305, "content": "] [", "normalized": true], ["id": 306, "content": "[#", "normalized": true],
        ])
        func ids(_ text: String) throws -> [Int32] { try tokenizer.encode(text, specials: .parse) }
        #expect(try ids("one") == [300])
        #expect(try ids("x-one.") == [120, 45, 300, 46])
        #expect(try ids("onex").count == 4)
        #expect(try ids("éone").count == 5)
        #expect(try ids("x \u{A0} [L] y") == [120, 301, 32, 121])
        #expect(try ids("x [R] \u{2003}y") == [120, 32, 302, 121])
        // The first token takes the spaces between two.
        #expect(try ids("[R]  [L]") == [302, 301])
        // Leftmost, then longest; tokens with `normalized` match only in the text that the others leave.
        #expect(try ids("[LL][L][R]x") == [303, 304])
        #expect(try ids("[L] [R]") == [301, 32, 302])
        #expect(try ids("a] [b") == [97, 305, 98])
        #expect(try ids("[#x") == [306, 120])
        #expect(try tokenizer.decode([300, 305], skipSpecials: true) == "one] [")
    }

    /// Each space is matched once, though every token could include all spaces before it: linear time.
    @Test(.timeLimit(.minutes(1))) func spacesThatAreTokens() throws {
        let tokenizer = try Self.tokenizer(added: [["id": 300, "content": " ", "lstrip": true]])
        let text = String(repeating: " ", count: 200_000)
        #expect(try tokenizer.encode(text, specials: .parse) == Array(repeating: 300, count: 200_000))
    }

    @Test func idsWithoutATokenAreErrors() throws {
        let tokenizer = try Self.tokenizer(
            added: [["id": 300, "content": "x"]].map { (_: JSONValue) in
                ["id": 300, "content": "<x>"]
            })
        #expect(tokenizer.vocabularySize == 301)
        #expect(throws: TextError.unknownID(299, vocabularySize: 301)) {
            try tokenizer.decode([299], skipSpecials: false)
        }
    }

    typealias Change = @Sendable (inout [JSONMember], inout [JSONMember]) -> Void

    static let refused: [(String, Change)] = [
        (
            "model.type: expected BPE, found string \"WordPiece\"",
            { _, model in model[0].value = "WordPiece" }
        ),
        (
            "model.byte_fallback: expected false (true is not supported), found true",
            { $1.append(JSONMember("byte_fallback", true)) }
        ),
        (
            "model.ignore_merges: expected false (true is not supported), found true",
            { $1.append(JSONMember("ignore_merges", true)) }
        ),
        (
            "model.dropout: expected null (dropout is for training), found number 0.1",
            { $1.append(JSONMember("dropout", 0.1)) }
        ),
        (
            "model.end_of_word_suffix: expected null (others are not supported), found string \"</w>\"",
            { $1.append(JSONMember("end_of_word_suffix", "</w>")) }
        ),
        (
            "normalizer.type: expected no normalizer (they are not supported), found string \"NFC\"",
            { root, _ in root.append(JSONMember("normalizer", ["type": "NFC"])) }
        ),
        (
            "decoder.type: expected ByteLevel, found string \"WordPiece\"",
            { root, _ in root[2].value = ["type": "WordPiece"] }
        ),
        (
            "pre_tokenizer.type: expected Sequence, Split, Digits or ByteLevel, found string \"Metaspace\"",
            { root, _ in root[1].value = ["type": "Metaspace"] }
        ),
        (
            "pre_tokenizer.add_prefix_space: expected false (true is not supported), found true",
            { root, _ in root[1].value = ["type": "ByteLevel", "add_prefix_space": true] }
        ),
        (
            "pre_tokenizer: expected a ByteLevel step at the end, found none",
            { root, _ in root[1].value = ["type": "Digits"] }
        ),
        (
            "pre_tokenizer.pretokenizers[0].behavior: expected one of "
                + "Isolated, Removed, MergedWithPrevious, MergedWithNext, Contiguous, found string \"isolated\"",
            { root, _ in
                root[1].value = [
                    "type": "Sequence",
                    "pretokenizers": [["type": "Split", "pattern": ["String": "x"], "behavior": "isolated"]],
                ]
            }
        ),
        (
            "model.merges[2]: expected two tokens of model.vocab that join to a third, found \"b c\"",
            { _, model in model[2].value = ["a b", "ab c", "b c"] }
        ),
        ("model.merges[0]: expected two tokens with a space between, found \"ab\"", { $1[2].value = ["ab"] }),
        (
            "model.merges[1]: expected a merge that does not make an added token, found \"ab c\"",
            { root, _ in root[0].value = [["id": 257, "content": "abc"]] }
        ),
        (
            "added_tokens: expected no token that is a single byte, found 65",
            { root, _ in root[0].value = [["id": 65, "content": "A"]] }
        ),
        (
            "added_tokens[0].id: expected 257 as in model.vocab, found 300",
            { root, _ in root[0].value = [["id": 300, "content": "abc"]] }
        ),
        (
            "added_tokens[1].id: expected each id once, found 300 twice",
            { root, _ in root[0].value = [["id": 300, "content": "<x>"], ["id": 300, "content": "<y>"]] }
        ),
        (
            "added_tokens[0].id: expected a token id, found number -1",
            { root, _ in root[0].value = [["id": -1, "content": "x"]] }
        ),
        (
            "model.vocab: expected a token for every byte of UTF-8, found none for 65",
            { _, model in
                if case .object(var members) = model[1].value {
                    members.remove(at: 65)
                    model[1].value = .object(members)
                }
            }
        ),
        (
            "model.vocab: expected each id once, found 255 twice",
            { _, model in
                if case .object(var members) = model[1].value {
                    members[256].value = 255
                    model[1].value = .object(members)
                }
            }
        ),
        (
            "model.vocab: expected each token once, found \"a\"",
            { _, model in
                if case .object(var members) = model[1].value {
                    members.append(JSONMember("a", 299))
                    model[1].value = .object(members)
                }
            }
        ),
        (
            "model.vocab: expected ids from 0 to 16777215, found another id",
            { root, _ in root[0].value = [["id": 2_000_000_000, "content": "x"]] }
        ),
    ]

    @Test(arguments: refused) func refusesByName(description: String, change: Change) throws {
        let error = #expect(throws: TextError.self) { try Tokenizer(json: Self.file(change), name: "t.json") }
        #expect(error?.description == "t.json: \(description)")
    }

    @Test func damagedFiles() {
        let text = Self.file()
        for length in stride(from: 0, to: text.count, by: 7) {
            #expect(throws: TextError.self) { try Tokenizer(json: Array(text[..<length]), name: "t.json") }
        }
        let error = #expect(throws: TextError.self) { try Tokenizer(json: Array("[]".utf8), name: "t.json") }
        #expect(error?.description == "t.json:1:1 (byte 0): expected an object, found an array")
    }
}
