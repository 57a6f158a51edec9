import Foundation
import Testing

@testable import Profiler

struct GzipTests {
    /// Decompressing with gzip gives the input back.
    @Test(arguments: [0, 1, 1000, 3_000_000])
    func itIsUnpackedAgain(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).gz")
        try Data(gzipped(bytes)).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "gzip -dc \"$0\"", file.path]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let found = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0 && Array(found) == bytes)
    }

    @Test func textShrinks() {
        let text = Array(String(repeating: "a dispatch like any other, ", count: 1000).utf8)
        #expect(gzipped(text).count < text.count / 20)
    }
}
