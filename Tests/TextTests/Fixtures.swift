import Foundation
import JSON
import Testing
import Text

/// Files of Tests/Fixtures/tokenizers: two published tokenizers, and cases computed with Hugging Face's libraries
/// (tokenizers for ids, pieces and decoded text, jinja2 for conversations).
enum Fixtures {
    static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures/tokenizers")

    static func bytes(_ path: String) throws -> [UInt8] {
        let url = directory.appendingPathComponent(path)
        guard path.hasSuffix(".gz") else { return [UInt8](try Data(contentsOf: url)) }
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["gzip", "-dc", url.path]
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "gzip -dc \(url.path) failed")
        return [UInt8](data)
    }

    /// The rows of a JSON-lines file, each with its line number for messages.
    static func rows(_ path: String) throws -> [JSONField] {
        try bytes(path).split(separator: UInt8(ascii: "\n")).enumerated().map { line, text in
            try JSONField(parsing: Array(text), name: "\(path):\(line + 1)")
        }
    }

    static func config(_ version: String) throws -> TokenizerConfig {
        try TokenizerConfig(json: bytes("\(version)/tokenizer_config.json"), name: "\(version)/tokenizer_config.json")
    }

    static let versions = ["v2", "v3"]

    /// V3.1 and R1 use V3's tokenizer.
    static func tokenizer(_ version: String) throws -> Tokenizer { try (version == "v2" ? v2 : v3).get() }

    private static let v2 = Result { try Tokenizer(json: bytes("v2/tokenizer.json.gz"), name: "v2/tokenizer.json") }
    private static let v3 = Result { try Tokenizer(json: bytes("v3/tokenizer.json.gz"), name: "v3/tokenizer.json") }
}

extension JSONField {
    func ids() throws -> [Int32] { try array().map { Int32(try $0.int()) } }
}

/// Describes the first difference of two sequences; nil if they are equal.
func firstDifference<Element: Equatable>(_ found: [Element], _ expected: [Element]) -> String? {
    guard found != expected else { return nil }
    let index = zip(found, expected).prefix { $0 == $1 }.count
    return "at \(index): found \(found[index...].prefix(8)), expected \(expected[index...].prefix(8))"
}
