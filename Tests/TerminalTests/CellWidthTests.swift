import Testing

@testable import Terminal

@Suite struct CellWidthTests {
    @Test(arguments: [
        ("a", 1), ("é", 1), ("e\u{301}", 1), ("漢", 2), ("ｱ", 1), ("Ａ", 2), ("한", 2), ("\u{1112}\u{1161}\u{11AB}", 2),
        ("ก", 1),
        ("กำ", 2), ("😀", 2), ("☺", 1), ("☺\u{FE0F}", 2), ("❤\u{FE0F}", 2), ("1\u{FE0F}\u{20E3}", 2), ("👨‍👩‍👧‍👦", 2), ("👍🏽", 2),
        ("🇩🇪", 2), ("🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}", 2), ("🏳️‍🌈", 2), ("क्ष", 2), ("⌚", 2),
        ("…", 1),
        ("€", 1), ("\u{20000}", 2),
    ])
    func widthOfACluster(text: String, width: Int) {
        #expect(CellWidth.of(text) == width)
        #expect(Cell.cells(of: text).reduce(0) { $0 + Int($1.width) } == width)
    }

    @Test func theTableIsSortedForBinarySearch() {
        for (before, after) in zip(wideScalars, wideScalars.dropFirst()) {
            #expect(before.upperBound < after.lowerBound)
        }
    }

    @Test(arguments: [
        ("\u{1}", "^A"), ("\u{1B}", "^["), ("\u{7F}", "^?"), ("\t", "    "), ("\u{85}", "<85>"), ("\u{202E}", "<202E>"),
        ("\u{200B}", "<200B>"), ("\u{301}", "◌\u{301}"), ("\u{2028}", "<2028>"),
    ])
    func invisibleCharactersHaveAVisibleForm(text: String, shown: String) {
        let cell = Cell(Character(text))
        #expect(cell.shown == shown)
        #expect(Int(cell.width) == shown.count)
    }

    @Test func onlyJoinedEmojiAndConjunctsAreUncertain() {
        for text in ["a", "é", "e\u{301}", "漢", "😀", "^"] { #expect(Cell(Character(text)).isCertain) }
        for text in ["👨‍👩‍👧", "👍🏽", "🇩🇪", "❤\u{FE0F}", "क्ष"] { #expect(!Cell(Character(text)).isCertain) }
    }

    @Test func outputCannotDriveTheTerminal() {
        #expect(terminalSafe("plain\ttext\n漢字 😀") == "plain\ttext\n漢字 😀")
        #expect(terminalSafe("\u{1B}]0;title\u{7}x\u{1B}[2J") == "^[]0;title^Gx^[[2J")
        #expect(terminalSafe("a\r\nb") == "a\nb")
        #expect(terminalSafe("\u{9B}31m\u{202E}") == "<9B>31m<202E>")
    }
}
