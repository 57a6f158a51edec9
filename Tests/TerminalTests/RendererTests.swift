import TerminalSupport
import Testing

@testable import Terminal

@Suite struct RendererTests {
    private let prompt = Prompt("> ")

    private func view(_ text: String, cursor: Int? = nil, notices: [String] = []) -> EditView {
        let cells = Cell.cells(of: text)
        return EditView(prompt: prompt, cells: cells, cursor: cursor ?? cells.count, notices: notices)
    }

    @Test func wrapsAtTheMarginWithoutCuttingWideCharacters() {
        var frame = FrameRenderer()
        var screen = TestScreen(columns: 10)
        let size = ScreenSize(columns: 10, rows: 20)
        // Drawing the text letter by letter must end at the same cursor position as drawing each prefix at once.
        let text = "abcde漢字fgh\nij😀klmnopq漢字漢字x"
        for end in 0...text.count {
            screen.write(frame.draw(view(String(text.prefix(end))), size: size))
            let cursor = Layout(cells: Cell.cells(of: String(text.prefix(end))), cursor: end, indent: 2, columns: 10)
            #expect((screen.row, screen.column) == (cursor.cursorRow, cursor.cursorColumn), "after \(end)")
        }
        #expect(screen.lines == ["> abcde漢", "字fgh", "  ij😀klmn", "opq漢字漢", "字x"])
        // And back again.
        for end in (0...text.count).reversed() {
            screen.write(frame.draw(view(String(text.prefix(end))), size: size))
        }
        #expect(screen.lines == ["> "])
    }

    @Test func theCursorStandsBehindAFullRow() {
        var frame = FrameRenderer()
        var screen = TestScreen(columns: 10)
        screen.write(frame.draw(view("abcdefgh"), size: ScreenSize(columns: 10, rows: 5)))
        #expect((screen.row, screen.column) == (1, 0))
        #expect(screen.lines == ["> abcdefgh", ""])
        screen.write(frame.draw(view("abcdefgh", cursor: 3), size: ScreenSize(columns: 10, rows: 5)))
        #expect((screen.row, screen.column) == (0, 5))
    }

    @Test func movesWithinTheText() {
        var frame = FrameRenderer()
        var screen = TestScreen(columns: 12)
        let text = "abc漢字def\nghi jkl mno pqr"
        for cursor in 0...text.count {
            screen.write(frame.draw(view(text, cursor: cursor), size: ScreenSize(columns: 12, rows: 9)))
            let layout = Layout(cells: Cell.cells(of: text), cursor: cursor, indent: 2, columns: 12)
            #expect((screen.row, screen.column) == (layout.cursorRow, layout.cursorColumn))
        }
    }

    @Test func noticesComeAndGo() {
        var frame = FrameRenderer()
        var screen = TestScreen(columns: 20)
        let size = ScreenSize(columns: 20, rows: 9)
        screen.write(frame.draw(view("/s", notices: ["/save", "/stats and more than fits"]), size: size))
        #expect(screen.lines == ["> /s", "/save", "/stats and more tha"])
        #expect((screen.row, screen.column) == (0, 4))
        screen.write(frame.finish(view("/s"), size: size))
        #expect(screen.lines == ["> /s", ""])
    }

    @Test func aTextTallerThanTheScreenIsShownAroundTheCursor() {
        var frame = FrameRenderer()
        let text = (1...50).map(String.init).joined(separator: "\n")
        let output = frame.draw(view(text), size: ScreenSize(columns: 20, rows: 5))
        #expect(output.contains("46") && output.contains("50") && !output.contains("45"))
        #expect(frame.draw(view(text, cursor: 0), size: ScreenSize(columns: 20, rows: 5)).contains("> 1"))
    }

    @Test func aNarrowWindowStillWorks() {
        for columns in 1...6 {
            var frame = FrameRenderer()
            #expect(!frame.draw(view("漢字\t\u{202E}abc"), size: ScreenSize(columns: columns, rows: 2)).isEmpty)
        }
    }

    @Test func uncertainWidthsAreFollowedByAPosition() {
        var frame = FrameRenderer()
        let output = frame.draw(view("a👨‍👩‍👧b"), size: ScreenSize(columns: 20, rows: 5))
        #expect(output.contains("👨‍👩‍👧\u{1B}[6Gb"))
    }

    @Test func theRowRendererSendsNoEscapeCodes() {
        var row = RowRenderer()
        var screen = TestScreen(columns: 20)
        let size = ScreenSize(columns: 20, rows: 5)
        let text = "The quick brown fox 漢字\njumps"
        for end in 0...text.count {
            let output = row.draw(view(String(text.prefix(end))), size: size)
            #expect(!output.contains("\u{1B}"))
            screen.write(output)
            #expect(screen.lines.count == 1)
        }
        #expect(screen.lines[0].hasSuffix("漢字↵jumps"))
        for cursor in (0...text.count).reversed() { screen.write(row.draw(view(text, cursor: cursor), size: size)) }
        #expect(screen.lines[0] == "> The quick brown f")
        #expect((screen.row, screen.column) == (0, 2))
        screen.write(row.draw(view("/s", notices: ["/save", "/stats"]), size: size))
        #expect(screen.lines.map { $0.filter { $0 != " " } } == ["/save", "/stats", ">/s"])
        // After the end of the edit, the whole text is visible.
        screen.write(row.finish(view(text)))
        #expect(screen.lines.suffix(4) == ["> The quick brown fo", "x 漢字", "  jumps", ""])
    }
}
