import FixtureSupport
import Foundation
import Testing

/// Strings from files, and arguments, that try to control the terminal, conceal text or forge lines.
struct HostileTextTests {
    private static let attack = "\u{1B}]0;title\u{7}\u{9B}2J\u{202E}\r\nall is right\n\u{8}\u{2066}"

    /// Expects no control characters except line breaks and tabs, no characters that change the direction of text, and no line
    /// that the attack forged.
    private func expectHarmless(_ result: Program.Result) {
        for (name, text) in [("stdout", result.output), ("stderr", result.errors)] {
            let bad = text.unicodeScalars.filter {
                switch $0.value {
                case 0x09, 0x0A: false
                case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: true
                default: false
                }
            }
            #expect(bad.isEmpty, "\(name): \(bad.map { String($0.value, radix: 16) }) in \(text.debugDescription)")
            #expect(!text.split(separator: "\n").contains("all is right"), "\(name): \(text.debugDescription)")
        }
    }

    @Test(arguments: [
        ["verify"], ["verify", "--structure"], ["verify", "--json"], ["inspect"], ["inspect", "--json"],
        ["generate", "--prompt-tokens", "1", "--device", "cpu", "--model"],
    ])
    func aTensorsName(command: [String]) throws {
        let model = try TemporaryCheckpoint(.v3FP8)
        try model.add([("\(Self.attack).weight", "extra.safetensors")])
        let result = try Program.run(command + [model.path])
        #expect(result.status == 1 && (result.output + result.errors).contains("title"), "\(result)")
        expectHarmless(result)
    }

    @Test func aConfigsValue() throws {
        let model = try TemporaryCheckpoint(.v3FP8) { $0["model_type"] = Self.attack }
        for command in ["verify", "inspect"] {
            let result = try Program.run([command, model.path])
            #expect(result.status == 1 && (result.output + result.errors).contains("title"), "\(result)")
            expectHarmless(result)
        }
    }

    /// Every string of a profile.
    @Test func aProfile() throws {
        let folder = try TemporaryFolder()
        let clean = folder.path + "/clean.json"
        #expect(try Program.run(["profile", "run", "--prompt", "4", "--generate", "2", "--json", clean]).status == 0)
        let sample = try Data(contentsOf: URL(fileURLWithPath: clean))
        func spoiled(_ value: Any, _ key: String) -> Any {
            switch value {
            case let members as [String: Any]:
                Dictionary(uniqueKeysWithValues: members.map { ($0, spoiled($1, $0)) })
            case let elements as [Any]: elements.map { spoiled($0, key) }
            case let text as String where !["format", "mode", "phase"].contains(key): text + Self.attack
            default: value
            }
        }
        let document = spoiled(try JSONSerialization.jsonObject(with: sample), "")
        let path = try folder.write(
            "a.json", String(decoding: JSONSerialization.data(withJSONObject: document), as: UTF8.self))
        let result = try Program.run(["profile", "compare", path, path, "--force"])
        #expect(result.output.contains("title"), "\(result)")
        expectHarmless(result)
    }

    @Test func arguments() throws {
        for arguments in [
            ["--\(Self.attack)"], ["generate", "--seed", Self.attack], ["inspect", "/nowhere/\(Self.attack)"],
            [Self.attack], ["generate", "--device", Self.attack, "x"],
        ] {
            let result = try Program.run(arguments)
            #expect(result.status != 0 && !result.errors.isEmpty, "\(result)")
            expectHarmless(result)
        }
    }
}
