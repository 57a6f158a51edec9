import Terminal
import Testing

@testable import Model
@testable import fathom

@Suite struct AmountsTests {
    @Test func bytesForPeople() {
        #expect(
            [0, 1023, 1024, 1536, 10 << 30, 1 << 62].map(byteText) == [
                "0 B", "1023 B", "1 KiB", "1.5 KiB", "10 GiB", "4096 PiB",
            ])
    }

    @Test func decimals() {
        #expect(
            fixed(12.5, 2) == "12.50" && fixed(0.049, 1) == "0.0" && fixed(-0.04, 1) == "0.0"
                && fixed(-1.26, 1) == "-1.3")
        #expect(
            fixed(2.5, 0) == "3" && fixed(9.996, 2) == "10.00" && fixed(.infinity, 1) == "inf"
                && fixed(0.05, 2) == "0.05")
    }

    @Test func medians() {
        #expect(median([3]) == 3 && median([4, 1, 3]) == 3 && median([4, 1, 3, 2]) == 2.5)
    }

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
        for text in ["", "1,", "a", "1 2", "99999999999"] {
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
