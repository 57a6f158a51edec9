import Testing
import Text

@Suite struct DecodingTests {
    @Test(arguments: Fixtures.versions) func textIsThePublishedOne(version: String) throws {
        let tokenizer = try Fixtures.tokenizer(version)
        for row in try Fixtures.rows("\(version)/decode-cases.jsonl") {
            let ids = try row["ids"].ids()
            for (key, skipSpecials) in [("text", false), ("skipped", true)] {
                let expected = try row[key].string()
                let found = try tokenizer.decode(ids, skipSpecials: skipSpecials)
                // Scalars, not characters: canonically equal strings would compare equal.
                if let difference = firstDifference(Array(found.unicodeScalars), Array(expected.unicodeScalars)) {
                    Issue.record("\(version) \(ids): \(difference)")
                    return
                }
                var stream = StreamDecoder(tokenizer, skipSpecials: skipSpecials)
                let parts = try ids.map { try stream.feed($0) } + [stream.flush()]
                if let difference = firstDifference(parts.flatMap(\.unicodeScalars), Array(expected.unicodeScalars)) {
                    Issue.record("\(version) \(ids), streamed: \(difference)")
                    return
                }
            }
        }
    }

    @Test func streamsWholeScalars() throws {
        let tokenizer = try Fixtures.tokenizer("v3")
        var stream = StreamDecoder(tokenizer, skipSpecials: true)
        // 🦆 as several tokens, then its first token alone.
        let ids = try tokenizer.encode("🦆", specials: .asText)
        #expect(ids.count > 1)
        for id in ids.dropLast() { #expect(try stream.feed(id) == "") }
        #expect(try stream.feed(ids.last!) == "🦆")
        #expect(stream.flush() == "")
        _ = try stream.feed(ids[0])
        #expect(try stream.feed(tokenizer.encode("a", specials: .asText)[0]) == "\u{FFFD}a")
        _ = try stream.feed(ids[0])
        #expect(stream.flush() == "\u{FFFD}")
        #expect(stream.flush() == "")
    }

    @Test(arguments: [-1, 128_815, Int32.max, Int32.min]) func unknownIDs(id: Int32) throws {
        let tokenizer = try Fixtures.tokenizer("v3")
        let expected = TextError.unknownID(id, vocabularySize: 128_815)
        #expect(throws: expected) { try tokenizer.decode([5, id], skipSpecials: false) }
        #expect(throws: expected) { try tokenizer.bytes(of: id) }
        #expect(throws: expected) {
            var stream = StreamDecoder(tokenizer, skipSpecials: true)
            _ = try stream.feed(id)
        }
        #expect(expected.description == "token id \(id): expected the id of a token, below 128815")
        #expect(!tokenizer.isSpecial(id) && !tokenizer.isAdded(id))
    }

    @Test func bytesOfTokens() throws {
        let tokenizer = try Fixtures.tokenizer("v3")
        #expect(try tokenizer.bytes(of: 223) == [0x20])
        #expect(try tokenizer.bytes(of: 128_803) == Array("<｜User｜>".utf8))
        #expect(tokenizer.isSpecial(1) && !tokenizer.isSpecial(128_803) && !tokenizer.isSpecial(223))
    }
}
