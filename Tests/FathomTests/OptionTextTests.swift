import Glibc
import Terminal
import TerminalSupport
import Testing

@testable import Loading
@testable import Model
@testable import fathom

@Suite struct OptionTextTests {
    @Test func theLoadingBarFitsTheTerminal() {
        let half = LoadProgress(loadedByteCount: 5 << 20, totalByteCount: 10 << 20)
        func line(_ columns: Int) -> String { LoadingBar.line("Minnow", half, seconds: 0.5, columns: columns) }
        #expect(line(100) == "Minnow  [##########··········]  50%  5 MiB of 10 MiB  10 MiB/s  1 s left")
        for columns in 5...100 { #expect(CellWidth.of(line(columns)) < columns) }
        let empty = LoadProgress(loadedByteCount: 0, totalByteCount: 0)
        #expect(LoadingBar.line("x", empty, seconds: 1, columns: 80).contains("100%"))
    }

    @Test(arguments: [true, false])
    func theLoadingBarLeavesNothingBehind(allowsEscapeCodes: Bool) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("screen", "")
        let file = open(path, O_WRONLY | O_CLOEXEC)
        defer { close(file) }
        let surroundings = Surroundings(
            inputIsTerminal: true, outputIsTerminal: true, errorIsTerminal: true, allowsEscapeCodes: allowsEscapeCodes)
        let bar = LoadingBar(name: "Minnow", output: Output(descriptor: file), surroundings: surroundings, start: 0)
        bar.show(LoadProgress(loadedByteCount: 1 << 20, totalByteCount: 4 << 20), now: 0.05)
        bar.show(LoadProgress(loadedByteCount: 2 << 20, totalByteCount: 4 << 20), now: 1)
        bar.show(LoadProgress(loadedByteCount: 4 << 20, totalByteCount: 4 << 20), now: 2)
        bar.clear()
        let written = try String(contentsOfFile: path, encoding: .utf8)
        #expect(!written.contains("25%") && written.contains("50%") && written.contains("100%"))
        #expect(written.contains("\u{1B}") == allowsEscapeCodes)
        let screen = TestScreen(columns: 80, showing: written)
        #expect(screen.lines[0].allSatisfy { $0 == " " } && (screen.row, screen.column) == (0, 0))
    }

    @Test func tokenLists() throws {
        #expect(try TokenList.parse("1, 2,-3") == [1, 2, -3])
        #expect(TokenList.text([1, -2]) == "1,-2")
        #expect(try TokenList.parse(" \n").isEmpty)
        for text in ["1,", "a", "1 2", "99999999999"] {
            #expect(throws: (any Error).self) { try TokenList.parse(text) }
        }
    }

    @Test func promptsAsText() throws {
        #expect(try Input.text(Array("a\r\n".utf8), name: "x") == "a")
        #expect(try Input.text(Array("a\n\n".utf8), name: "x") == "a\n")
        #expect(Input.lines(Array("a\r\n\nb".utf8)).map { String(decoding: $0, as: UTF8.self) } == ["a", "", "b"])
        #expect(Input.lines([]).isEmpty)
    }
}
