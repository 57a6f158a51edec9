import Foundation
import Testing

@testable import Terminal

@Suite struct HistoryTests {
    private let folder = NSTemporaryDirectory() + "fathom-history-\(UUID().uuidString)"

    @Test func entriesSurviveInAFileOfTheirOwner() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = HistoryFile(path: folder + "/a/b/history")
        #expect(try file.load().entries.isEmpty)
        let entries = ["plain", "two\nlines", "back\\slash \\n", "漢字 😀", "carriage\rreturn"]
        for entry in entries { try file.append(entry) }
        #expect(try file.load().entries == entries)
        let mode = try #require(FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int)
        #expect(mode == 0o600)
    }

    @Test func aFileBeyondTheLimitIsCut() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = HistoryFile(path: folder + "/history")
        for number in 0..<25 { try file.append("\(number)") }
        #expect(try file.load(limit: 10).entries == (15..<25).map(String.init))
        #expect(try String(contentsOfFile: file.path, encoding: .utf8).split(separator: "\n").count == 10)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["history"])
    }

    @Test func damagedBytesAreRepaired() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = HistoryFile(path: folder + "/history")
        try file.append("a")
        let handle = try #require(FileHandle(forWritingAtPath: file.path))
        handle.seekToEndOfFile()
        handle.write(Data([0x62, 0xFF, 0x0A]))
        #expect(try file.load().entries == ["a", "b\u{FFFD}"])
    }

    @Test func anUnwritablePlaceIsNamed() throws {
        let file = HistoryFile(path: "/proc/nowhere/history")
        #expect { try file.append("x") } throws: { "\($0)".contains("/proc/nowhere/history") }
    }

    @Test func repeatsAndEmptyLinesAreNotKept() {
        var history = History(limit: 3)
        for entry in ["a", "a", "", "b", "c", "d"] { _ = history.add(entry) }
        #expect(history.entries == ["b", "c", "d"])
    }

    @Test func pathsComplete() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder + "/chats", withIntermediateDirectories: true)
        for name in ["chat.json", "other", ".hidden", "ch 漢.json"] {
            try Data().write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        #expect(Completion.paths(folder + "/ch").candidates.map(\.text) == ["ch 漢.json", "chat.json", "chats/"])
        #expect(Completion.paths(folder + "/ch").replacedCount == 2)
        #expect(Completion.paths(folder + "/.h").candidates.map(\.text) == [".hidden"])
        #expect(Completion.paths(folder + "/nowhere/x").candidates.isEmpty)
    }
}
