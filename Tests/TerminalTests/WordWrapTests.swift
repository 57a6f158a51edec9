import Terminal
import TerminalSupport
import Testing

struct WordWrapTests {
    /// The rows of the screen, without trailing blanks, after feeding these pieces.
    private func rows(_ pieces: [String], columns: Int, indent: Int = 0) -> [String] {
        var wrap = WordWrap(indent: indent)
        var screen = TestScreen(columns: columns)
        for piece in pieces {
            screen.write(wrap.feed(piece, columns: columns).replacing("\n", with: "\r\n"))
        }
        return screen.lines.map { line in String(line.reversed().drop { $0 == " " }.reversed()) }
    }

    @Test func rowsBreakBetweenWordsHoweverTheTextComes() {
        let text = "Once upon a time there was a dragon\n\n  who lived by the sea."
        let expected = ["Once upon a time", "there was a dragon", "", "  who lived by the", "sea."]
        #expect(rows([text], columns: 20) == expected)
        #expect(rows(text.map(String.init), columns: 20) == expected)
        #expect(
            rows(
                ["Once up", "on a time the", "re", " was a dr", "agon\n\n ", " who lived by", " the sea."], columns: 20)
                == expected)
        #expect(!text.map { WordWrap.wrapped(String($0), columns: 20) }.joined().contains("\u{1B}"))
    }

    @Test func aWordThatEndsBeforeTheLastColumnStays() {
        // 19 of 20 cells; the twentieth stays free.
        #expect(rows(["abcdefghi ", "jklmnopqr", "s"], columns: 20) == ["abcdefghi", "jklmnopqrs"])
        #expect(rows(["abcdefghi ", "jklmnopqr"], columns: 20) == ["abcdefghi jklmnopqr"])
        #expect(rows(["abcdefghi jklmnopqr next"], columns: 20) == ["abcdefghi jklmnopqr", "next"])
    }

    @Test func aWordLongerThanARowIsLeftToTheTerminal() {
        let address = "https://example.org/" + String(repeating: "x", count: 30)
        var wrap = WordWrap()
        // One line break before it and none inside.
        #expect(wrap.feed("See \(address) now", columns: 20) == "See \n\(address) now")
        for pieces in [["See \(address) now"], "See \(address) now".map(String.init)] {
            #expect(
                rows(pieces, columns: 20) == [
                    "See", "https://example.org/", String(address.dropFirst(20).prefix(20)), "xxxxxxxxxx now",
                ])
        }
    }

    @Test func wideCharactersBreakAnywhereAndAreNeverCut() {
        let text = "漢字漢字漢字漢字漢字漢字 and 漢字"
        for pieces in [[text], text.map(String.init)] {
            #expect(rows(pieces, columns: 20) == ["漢字漢字漢字漢字漢", "字漢字 and 漢字"])
        }
    }

    @Test func codeKeepsItsLines() {
        let code = "```\nlet x = 1   // a long line of code\n```\nand words after it, again"
        for pieces in [[code], code.map(String.init)] {
            #expect(
                rows(pieces, columns: 20)
                    == ["```", "let x = 1   // a lon", "g line of code", "```", "and words after it,", "again"])
        }
    }

    @Test func furtherRowsAreIndented() {
        #expect(
            rows(["/save [FILE]  saves the conversation\nnext"], columns: 20, indent: 2)
                == ["/save [FILE]  saves", "  the conversation", "next"])
    }

    @Test func aChangeOfTheWidthCounts() {
        var wrap = WordWrap()
        #expect(wrap.feed("one two three four", columns: 40) == "one two three four")
        // The 18 cells written at 40 columns leave no room for " five" at 20.
        #expect(wrap.feed(" five", columns: 20) == "\nfive")
        #expect(wrap.feed(" any width", columns: 5) == " any width")
    }
}
