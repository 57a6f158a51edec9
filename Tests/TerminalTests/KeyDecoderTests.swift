import Testing

@testable import Terminal

@Suite struct KeyDecoderTests {
    private func keys(_ text: String) -> [Key] {
        var decoder = KeyDecoder()
        return decoder.decode(text.utf8)
    }

    @Test(arguments: [
        ("\u{1B}[A", Key.up), ("\u{1B}OA", .up), ("\u{1B}[B", .down), ("\u{1B}[C", .right), ("\u{1B}[D", .left),
        ("\u{1B}[H", .home), ("\u{1B}OF", .end), ("\u{1B}[1~", .home), ("\u{1B}[4~", .end), ("\u{1B}[3~", .delete),
        ("\u{1B}[1;5C", .wordRight), ("\u{1B}[1;3D", .wordLeft), ("\u{1B}b", .wordLeft), ("\u{1B}f", .wordRight),
        ("\u{1B}d", .alt("d")), ("\u{1B}\r", .lineBreak), ("\n", .lineBreak), ("\r", .enter), ("\t", .tab),
        ("\u{7F}", .backspace), ("\u{8}", .backspace), ("\u{1B}\u{7F}", .wordBackspace), ("\u{1}", .control("a")),
        ("\u{1B}[13;2u", .lineBreak), ("\u{1B}[27;2;13~", .lineBreak), ("\u{1B}[15~", .unknown),
        ("\u{1F}", .control("_")),
    ])
    func sequences(bytes: String, key: Key) {
        #expect(keys(bytes) == [key])
    }

    @Test func bytesMayBeCutAnywhere() {
        let text = "aé漢😀\u{1B}[1;5C\u{1B}[200~x\r\ny\rz漢\u{1B}[201~\u{1B}OH\r"
        let expected: [Key] = [.wordRight, .paste("x\ny\nz漢"), .home, .enter]
        let bytes = Array(text.utf8)
        for cut in 0...bytes.count {
            var decoder = KeyDecoder()
            let found = decoder.decode(bytes[..<cut]) + decoder.decode(bytes[cut...])
            #expect(typed(found) == "aé漢😀", "cut at \(cut)")
            #expect(found.filter { !isText($0) } == expected, "cut at \(cut)")
        }
        var decoder = KeyDecoder()
        let single = bytes.flatMap { decoder.decode([$0]) }
        #expect(typed(single) == "aé漢😀")
    }

    @Test func invalidBytesBecomeReplacementCharacters() {
        var decoder = KeyDecoder()
        #expect(decoder.decode([0x61, 0xFF, 0x62]) == [.text("a\u{FFFD}b")])
        // An unfinished character ends at the next key.
        #expect(decoder.decode([0xE6, 0xBC]) == [])
        #expect(decoder.decode([0x0D]) == [.text("\u{FFFD}"), .enter])
        #expect(decoder.decode([0xED, 0xA0, 0x80, 0x61]).count == 1)
    }

    @Test func aLoneEscapeIsAKeyOnceNothingFollows() {
        var decoder = KeyDecoder()
        #expect(decoder.decode([0x1B]) == [])
        #expect(decoder.awaitsSequence)
        #expect(decoder.flush() == [.escape])
        #expect(!decoder.awaitsSequence)
        #expect(decoder.decode("[A".utf8) == [.text("[A")])
    }

    @Test func noiseIsSwallowedWhole() {
        #expect(keys("\u{1B}]0;title\u{7}a") == [.text("a")])
        #expect(keys("\u{1B}P1$r0m\u{1B}\\a") == [.text("a")])
        #expect(keys("\u{1B}[201~a") == [.text("a")])
        // The Linux console's F1.
        #expect(keys("\u{1B}[[Aa").last == .text("a"))
        #expect(keys("\u{1B}[<0;10;10Ma") == [.unknown, .text("a")])
        #expect(
            keys("\u{1B}[" + String(repeating: "1", count: 100) + "a").last
                == .text(String(repeating: "1", count: 35) + "a"))
    }

    @Test func aPasteKeepsItsBytes() {
        #expect(keys("\u{1B}[200~\u{1B}[A\u{3}\u{1B}[201~") == [.paste("\u{1B}[A\u{3}")])
        var decoder = KeyDecoder()
        #expect(
            decoder.decode(Array("\u{1B}[200~a".utf8) + [0xFF] + Array("\u{1B}[201~".utf8)) == [.paste("a\u{FFFD}")])
    }

    @Test func aLargePasteIsFast() {
        let line = "0123456789 漢字 ~ abc\n"
        let text = String(repeating: line, count: 50_000)
        let clock = ContinuousClock()
        var found: [Key] = []
        let time = clock.measure { found = keys("\u{1B}[200~" + text + "\u{1B}[201~") }
        #expect(found == [.paste(text)])
        #expect(time < .seconds(5))
    }

    private func isText(_ key: Key) -> Bool {
        if case .text = key { true } else { false }
    }

    private func typed(_ keys: [Key]) -> String {
        keys.map { key in
            if case .text(let text) = key { text } else { "" }
        }
        .joined()
    }
}
