import Testing

@testable import Terminal

@Suite struct EditorTests {
    private var editor = Editor(
        history: History(["first", "two\nlines", "third 漢字"]), leaveHint: "leave",
        complete: { text in
            let words = ["/save ", "/stats ", "/system "].filter { $0.hasPrefix(text) }
            return Completion(replacedCount: text.count, candidates: words.map { .init(text: $0, label: $0) })
        })

    /// The text, with the cursor as |.
    private func shown(_ editor: Editor) -> String {
        editor.buffer.text(in: 0..<editor.buffer.cursor) + "|"
            + editor.buffer.text(in: editor.buffer.cursor..<editor.buffer.cells.count)
    }

    private mutating func press(_ keys: Key...) -> String {
        for key in keys { _ = editor.handle(key) }
        return shown(editor)
    }

    @Test mutating func movesAndDeletesByCluster() {
        #expect(press(.text("a👨‍👩‍👧e\u{301}🇩🇪"), .left) == "a👨‍👩‍👧e\u{301}|🇩🇪")
        #expect(press(.backspace) == "a👨‍👩‍👧|🇩🇪")
        #expect(press(.delete, .backspace, .backspace) == "|")
        #expect(editor.handle(.backspace) == .refused)
    }

    @Test mutating func marksTypedLaterJoinTheirLetter() {
        _ = press(.text("e"), .text("\u{301}"))
        #expect(editor.buffer.cells.count == 1)
        _ = press(.text("👩"), .text("\u{200D}"), .text("🚀"), .text("🇫"), .text("🇷"))
        #expect(editor.buffer.cells.count == 3)
        #expect(press(.home, .text("x")) == "x|e\u{301}👩‍🚀🇫🇷")
    }

    @Test mutating func wordsAndLines() {
        _ = press(.text("one two, drei 漢字"))
        #expect(press(.wordLeft, .wordLeft) == "one two, |drei 漢字")
        #expect(press(.wordRight) == "one two, drei| 漢字")
        #expect(press(.control("w")) == "one two, | 漢字")
        #expect(press(.alt("d")) == "one two, |")
        #expect(press(.control("y")) == "one two, drei 漢字|")
        #expect(press(.control("a"), .control("k"), .control("y")) == "one two, drei 漢字|")
        #expect(press(.control("u")) == "|")
        #expect(press(.text("ab"), .control("t")) == "ba|")
        #expect(press(.left, .left, .control("t")) == "|ba")
    }

    @Test mutating func killsInARowAreOneText() {
        #expect(press(.text("one two three"), .control("w"), .control("w"), .control("y")) == "one two three|")
        #expect(press(.control("a"), .alt("d"), .alt("d"), .control("e"), .control("y")) == " threeone two|")
    }

    @Test mutating func severalLines() {
        #expect(press(.text("ab"), .lineBreak, .text("漢字cd"), .up) == "ab|\n漢字cd")
        #expect(press(.down, .home, .right, .up) == "ab|\n漢字cd")
        #expect(press(.left, .down) == "ab\n|漢字cd")
        #expect(press(.control("u")) == "ab|漢字cd")
        #expect(press(.end, .text("\\"), .enter) == "ab漢字cd\n|")
        #expect(editor.handle(.enter) == .submitted("ab漢字cd\n"))
        editor.begin()
        #expect(press(.paste("x\ny\n")) == "x\ny\n|")
    }

    @Test mutating func historyKeepsWhatIsBeingWritten() {
        #expect(press(.text("new"), .up) == "third 漢字|")
        #expect(press(.text("!"), .up) == "two\nlines|")
        #expect(press(.up, .up) == "first|")
        #expect(editor.handle(.up) == .refused)
        #expect(press(.down, .down, .down, .down) == "new|")
        #expect(press(.up) == "third 漢字!|")
    }

    @Test mutating func searchGoesBackThroughTheHistory() {
        #expect(press(.control("r"), .text("I"), .text("R")) == "th|ird 漢字")
        #expect(press(.control("r")) == "f|irst")
        #expect(press(.control("s")) == "th|ird 漢字")
        #expect(press(.text("zz")) == "th|ird 漢字")
        #expect(editor.view(prompt: Prompt("> ")).prompt.plain == "(not found: IRzz) ")
        #expect(press(.control("g")) == "|")
        #expect(press(.control("r"), .text("two"), .right) == "t|wo\nlines")
        #expect(press(.control("r"), .text("fir"), .control("c")) == "t|wo\nlines")
        _ = press(.control("r"), .text("first"))
        #expect(editor.handle(.enter) == .submitted("first"))
    }

    @Test mutating func completionInsertsWhatIsCommonThenLists() {
        #expect(press(.text("/s"), .tab) == "/s|")
        #expect(editor.view(prompt: Prompt("> ")).notices == ["/save     /stats    /system "])
        #expect(press(.text("y"), .tab) == "/system |")
        #expect(editor.view(prompt: Prompt("> ")).notices.isEmpty)
        #expect(editor.handle(.tab) == .changed)
        #expect(press(.text("x")) == "/system x|")
        #expect(editor.handle(.tab) == .refused)
    }

    @Test mutating func controlCClearsThenSaysHowToLeave() {
        #expect(press(.text("abc"), .control("c")) == "|")
        #expect(editor.view(prompt: Prompt("> ")).notices.isEmpty)
        _ = press(.control("c"))
        #expect(editor.view(prompt: Prompt("> ")).notices == ["leave"])
        #expect(editor.handle(.control("d")) == .endOfInput)
        #expect(press(.text("ab"), .left, .control("d")) == "a|")
    }

    @Test mutating func aHugeTextStaysQuick() {
        let text = String(repeating: "0123456789 漢字\n", count: 80_000)
        let time = ContinuousClock().measure {
            _ = press(.paste(text))
            for _ in 0..<10 { _ = press(.left, .text("x"), .backspace) }
        }
        #expect(editor.buffer.text == text)
        #expect(time < .seconds(10))
    }
}
