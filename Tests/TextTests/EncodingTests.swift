import FixtureSupport
import Foundation
import JSON
import Testing
import Text

@Suite struct EncodingTests {
    @Test(arguments: Fixtures.versions, ["cases", "more-cases"])
    func idsAreThePublishedOnes(version: String, file: String) throws {
        let tokenizer = try Fixtures.tokenizer(version)
        let rows = try Fixtures.rows("\(version)/\(file).jsonl")
        #expect(rows.count >= 298)
        for row in rows {
            let text = try row["text"].string()
            let ids = try tokenizer.encode(text, specials: .parse)
            if let difference = firstDifference(ids, try row["ids"].ids()) {
                Issue.record(
                    "\(row.error(expected: "", found: "").name), \(text.debugDescription.prefix(80)): \(difference)")
                return
            }
            #expect(try tokenizer.encode(bytes: text.utf8, specials: .parse) == ids)
            #expect(try tokenizer.decode(ids, skipSpecials: false) == text)
        }
    }

    @Test(arguments: Fixtures.versions) func textNeverYieldsAddedTokens(version: String) throws {
        let tokenizer = try Fixtures.tokenizer(version)
        let added = tokenizer.addedTokenContents
        #expect(added.count == (version == "v2" ? 2 : 818))
        for (id, content) in added {
            #expect(tokenizer.id(of: content) == id)
            #expect(tokenizer.isAdded(id))
            #expect(try tokenizer.encode(content, specials: .parse) == [id])
            let ids = try tokenizer.encode("a\(content)\(content) b", specials: .asText)
            #expect(!ids.contains { tokenizer.isAdded($0) }, "\(content)")
            #expect(try tokenizer.decode(ids, skipSpecials: true) == "a\(content)\(content) b")
        }
    }

    @Test func vocabularySizes() throws {
        #expect(try Fixtures.tokenizer("v2").vocabularySize == 100_002)
        #expect(try Fixtures.tokenizer("v3").vocabularySize == 128_815)
    }

    /// Texts on which an algorithm of quadratic time would take minutes.
    @Test(arguments: Fixtures.versions) func longRunsTakeLinearTime(version: String) throws {
        let tokenizer = try Fixtures.tokenizer(version)
        let mebibyte = 1 << 20
        let texts = [
            ("one letter", String(repeating: "a", count: mebibyte)),
            ("spaces before a digit", String(repeating: " ", count: mebibyte) + "5"),
            ("spaces before an ideograph", String(repeating: " ", count: mebibyte) + "字"),
            ("line ends", String(repeating: "\r\n", count: mebibyte / 2)),
            ("punctuation", String(repeating: "-", count: mebibyte)),
            ("brackets", String(repeating: "<", count: mebibyte)),
            ("digits", String(repeating: "7", count: mebibyte)),
            ("combining marks", String(repeating: "e\u{301}", count: mebibyte / 3)),
            ("words", String(repeating: "the quick brown fox ", count: mebibyte / 20)),
        ]
        for (name, text) in texts {
            var ids: [Int32] = []
            // The fastest of three: other tests compete for the caches.
            var time = Duration.seconds(1000)
            for _ in 0..<3 where time > timeLimit {
                time = min(time, try processorTime { ids = try tokenizer.encode(text, specials: .parse) })
            }
            print("\(version): 1 MiB of \(name): \(ids.count) tokens, \(time)")
            #expect(time < timeLimit, "\(name)")
            #expect(try tokenizer.decode(ids, skipSpecials: false) == text)
        }
    }

    @Test func loadsFast() throws {
        let bytes = try Fixtures.bytes("v3/tokenizer.json.gz")
        let times = try (0..<3).map { _ in
            try processorTime { _ = try Tokenizer(json: bytes, name: "tokenizer.json") }
        }
        print("v3 tokenizer.json, \(bytes.count) bytes: \(times)")
        #expect(times.min()! < timeLimit * 0.3)
    }

    /// One second; 40 in debug builds.
    private var timeLimit: Duration {
        var isDebug = false
        assert(
            {
                isDebug = true
                return true
            }())
        return .seconds(isDebug ? 40 : 1)
    }

    @Test func damagedBytes() throws {
        let tokenizer = try Fixtures.tokenizer("v3")
        let cases: [([UInt8], String)] = [
            ([0x61, 0xED, 0xA0, 0x80, 0x62], "a\u{FFFD}b"), ([0xED, 0xBF, 0xBF, 0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}"),
            ([0xFF, 0xFE], "\u{FFFD}\u{FFFD}"), ([0xF0, 0x9F, 0x98], "\u{FFFD}"),
            ([0xF0, 0x9F, 0x98, 0x61], "\u{FFFD}a"),
            ([0xE0, 0x80, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"), ([0xC3], "\u{FFFD}"), ([0x80, 0x61], "\u{FFFD}a"),
        ]
        for (bytes, text) in cases {
            let ids = try tokenizer.encode(bytes: bytes, specials: .asText)
            #expect(ids == (try tokenizer.encode(text, specials: .asText)), "\(bytes)")
        }
        let escaped = try JSONReader.read(Array(#""x\ud83dy""#.utf8)) { (reader) throws(JSONError) in
            Array(try reader.readStringBytes())
        }
        #expect(
            try tokenizer.decode(tokenizer.encode(bytes: escaped, specials: .asText), skipSpecials: false)
                == "x\u{FFFD}y")
    }

    @Test func encodesFromManyThreads() async throws {
        let tokenizer = try Fixtures.tokenizer("v2")
        let texts = try Fixtures.rows("v2/cases.jsonl").map { try $0["text"].string() }
        let expected = try texts.map { try tokenizer.encode($0, specials: .asText) }
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask { (try? texts.map { try tokenizer.encode($0, specials: .asText) }) == expected }
            }
            for await isEqual in group { #expect(isEqual) }
        }
    }
}
