import Foundation
import JSON
import Testing

@testable import Profiler

/// Keeps Tools/profile.schema.json and `Profile.json` consistent: every written member is in the schema, and every
/// member of the schema is written.
struct ProfileSchemaTests {
    private static let schema: JSONValue = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let bytes = try! Data(contentsOf: root.appendingPathComponent("Tools/profile.schema.json"))
        return try! JSONValue(parsing: Array(bytes), name: "profile.schema.json")
    }()

    @Test(arguments: [AnyProfile.sample, .large, .emptyKernels, .emptyRun, .oneRow])
    func writtenProfilesSatisfyTheSchema(_ name: AnyProfile) {
        #expect(failures(name.profile.json, Self.schema) == [])
    }

    /// Changes to a valid document, each with the expected failure.
    @Test(arguments: [
        ("\"version\":1", "\"version\":2", "version: not 1"),
        ("\"mode\":\"run\"", "\"mode\":\"walk\"", "mode: not one of"),
        ("\"kind\":\"discrete\"", "\"kind\":null", "header.kind: not string"),
        ("\"launch_ns\":2000", "\"launch_ns\":-1", "limits.launch_ns: below 0"),
        ("\"dispatches\":1,", "\"dispatches\":1.5,", "rows[0].dispatches: not integer"),
        ("\"round_sizes\":[15]", "\"round_sizes\":[0]", "rows[0].round_sizes[0]: below 1"),
        ("\"spills\":0", "\"spilled\":0", "rows[1].code: without spills"),
        ("\"spills\":0", "\"spills\":0,\"x\":0", "rows[1].code.x: not known"),
        ("\"commit\":\"abcdef0\"", "\"commit\":7", "header.commit: not string or null"),
        ("\"gemv\":\"0123456789abcdef\"", "\"gemv\":1", "header.shaders.gemv: not string"),
    ])
    func invalidDocumentsFail(from: String, to: String, expected: String) throws {
        let text = Profile.sample().json.serialized()
        let range = try #require(text.range(of: from))
        let changed = try JSONValue(parsing: text.replacingCharacters(in: range, with: to))
        let failures = failures(changed, Self.schema)
        #expect(failures.contains { $0.hasPrefix(expected) }, "\(failures)")
    }

    /// A document with all optional parts has every member of the schema.
    @Test func everyMemberOfTheSchemaIsWritten() throws {
        var profile = Profile.sample()
        profile.rows[0].code = profile.rows[1].code
        try expectWritten(profile.json, Self.schema, at: "")
    }

    private func expectWritten(_ value: JSONValue, _ schema: JSONValue, at path: String) throws {
        for (key, part) in members(member("properties", of: schema) ?? .null) {
            let written = try #require(member(key, of: value), "\(path).\(key) is not written")
            try expectWritten(written, part, at: "\(path).\(key)")
        }
        if let items = member("items", of: schema), case .array(let values) = value, let first = values.first {
            try expectWritten(first, items, at: "\(path)[0]")
        }
    }

    // MARK: A validator of the schema features in use

    private static let known: Set<String> = [
        "$schema", "title", "description", "type", "required", "additionalProperties", "properties", "items", "enum",
        "const", "minimum",
    ]

    private func members(_ value: JSONValue) -> [(key: String, value: JSONValue)] {
        guard case .object(let members) = value else { return [] }
        return members.map { ($0.key, $0.value) }
    }

    private func member(_ key: String, of value: JSONValue) -> JSONValue? {
        members(value).first { $0.key == key }?.value
    }

    private func strings(_ value: JSONValue?) -> [String] {
        switch value {
        case .string(let text): return [text]
        case .array(let values): return values.flatMap { strings($0) }
        default: return []
        }
    }

    private func type(_ value: JSONValue) -> [String] {
        switch value {
        case .null: return ["null"]
        case .bool: return ["boolean"]
        case .number(let number): return number.int == nil ? ["number"] : ["number", "integer"]
        case .string: return ["string"]
        case .array: return ["array"]
        case .object: return ["object"]
        }
    }

    private func failures(_ value: JSONValue, _ schema: JSONValue, at path: String = "") -> [String] {
        var failures: [String] = []
        for (key, _) in members(schema) where !Self.known.contains(key) { failures.append("\(path): schema's \(key)") }
        let types = strings(member("type", of: schema))
        if !types.isEmpty, !types.contains(where: type(value).contains) {
            return ["\(path): not \(types.joined(separator: " or "))"]
        }
        if let constant = member("const", of: schema), constant != value {
            failures.append("\(path): not \(constant.serialized())")
        }
        if case .array(let values) = member("enum", of: schema), !values.contains(value) {
            failures.append("\(path): not one of \(JSONValue.array(values).serialized())")
        }
        if case .number(let least) = member("minimum", of: schema), case .number(let number) = value,
            number.double! < least.double!
        {
            failures.append("\(path): below \(least.text)")
        }
        if case .array(let values) = value, let items = member("items", of: schema) {
            for (index, item) in values.enumerated() {
                failures += self.failures(item, items, at: "\(path)[\(index)]")
            }
        }
        guard case .object(let written) = value else { return failures }
        for key in strings(member("required", of: schema)) where !written.contains(where: { $0.key == key }) {
            failures.append("\(path): without \(key)")
        }
        for entry in written {
            let inner = path.isEmpty ? entry.key : "\(path).\(entry.key)"
            if let part = member("properties", of: schema).flatMap({ member(entry.key, of: $0) }) {
                failures += self.failures(entry.value, part, at: inner)
            } else if let other = member("additionalProperties", of: schema) {
                failures +=
                    other == .bool(false) ? ["\(inner): not known"] : self.failures(entry.value, other, at: inner)
            }
        }
        return failures
    }
}
