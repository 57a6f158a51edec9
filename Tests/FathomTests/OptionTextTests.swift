import Terminal
import Testing

@testable import Model
@testable import fathom

@Suite struct OptionTextTests {
    @Test func theLoadingBarFitsTheTerminal() {
        let half = LoadProgress(loadedByteCount: 5 << 20, totalByteCount: 10 << 20)
        func line(_ columns: Int) -> String { LoadingBar.line("Minnow", half, seconds: 0.5, columns: columns) }
        #expect(line(100) == "Minnow  [##########··········]  50%  5 MiB of 10 MiB  10 MiB/s")
        for columns in 5...100 { #expect(CellWidth.of(line(columns)) < columns) }
        let empty = LoadProgress(loadedByteCount: 0, totalByteCount: 0)
        #expect(LoadingBar.line("x", empty, seconds: 1, columns: 80).contains("100%"))
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
