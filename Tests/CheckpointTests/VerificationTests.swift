import FixtureSupport
import Foundation
import Numerics
import Testing

@testable import Checkpoint

@Suite struct VerificationTests {
    private static let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]

    /// The problems of a tiny checkpoint whose folder `spoil` has damaged.
    private func problems(
        _ tiny: TinyCheckpoint, checksums: String? = nil, _ spoil: (String) throws -> Void = { _ in }
    ) throws -> [CheckpointProblem] {
        var found: [CheckpointProblem] = []
        _ = try tiny.complaint { folder in
            try spoil(folder)
            let survey = try CheckpointSurvey(.folder(folder))
            let list = try checksums.map { try ChecksumList(Array($0.utf8), name: "sums") }
            found = survey.problems + (try #require(survey.read(list) { _, _ in true }))
        }
        return found
    }

    private func kinds(_ problems: [CheckpointProblem]) -> [String] {
        problems.map { "\($0.kind) \($0.tensor ?? $0.file ?? "")" }
    }

    private func digest(_ folder: String, _ file: String) throws -> String {
        let tool = Process()
        let output = Pipe()
        tool.executableURL = URL(fileURLWithPath: "/usr/bin/sha256sum")
        tool.arguments = [folder + "/" + file]
        tool.standardOutput = output
        try tool.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        tool.waitUntilExit()
        return String(text.prefix(64))
    }

    // MARK: Names and headers

    @Test func allProblemsAreListed() throws {
        var tiny = try TinyCheckpoint()
        let norm = "model.layers.0.self_attn.kv_a_layernorm.weight"
        tiny.tensors["model.norm.weight"] = nil
        tiny.tensors["model.layers.0.self_attn.o_proj.weight_scale_inv"] = nil
        tiny.tensors["lm_head.weight"] = ([8, 15], .bf16)
        tiny.tensors[norm] = ([8], .i32)
        tiny.tensors["another.weight"] = ([3], .f32)
        tiny.config["vocab_size"] = 8
        let found = try problems(tiny)
        #expect(
            kinds(found) == [
                "missing model.norm.weight", "different lm_head.weight", "different \(norm)",
                "missing model.layers.0.self_attn.o_proj.weight_scale_inv", "extra another.weight",
            ])
        let texts = found.map(\.error.description)
        #expect(texts[0] == "model.norm.weight: expected a tensor [16], found none")
        #expect(texts[1] == "lm_head.weight: expected [8, 16], found [8, 15]")
        #expect(texts[2] == "\(norm): expected BF16, F16 or F32, found I32")
        #expect(texts[4] == "another.weight: expected no such tensor, found F32 [3]")
        #expect(Self.shards.contains(try #require(found[1].file)))
    }

    /// A missing file is one problem, regardless of its tensors.
    @Test func aMissingFileIsOneProblem() throws {
        let found = try problems(TinyCheckpoint()) {
            try FileManager.default.removeItem(atPath: $0 + "/" + Self.shards[1])
        }
        #expect(kinds(found) == ["missing \(Self.shards[1])"])
        #expect(try #require(found.first).error.found == "no such file or folder")
    }

    @Test func truncatedFilesNameTheirTensors() throws {
        let found = try problems(TinyCheckpoint()) { folder in
            for shard in Self.shards {
                let path = folder + "/" + shard
                let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
                try #require(truncate(path, off_t(size - 1)) == 0)
            }
        }
        #expect(kinds(found) == Self.shards.map { "damaged \($0)" })
        #expect(found.allSatisfy { $0.error.found.contains(", within or before model.") }, "\(found)")
    }

    @Test func everyFaultOfAHeaderIsNamed() throws {
        let header = #"""
            {"a":{"dtype":"F9","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[3],"data_offsets":[8,16]},
            "c":{"dtype":"F32","shape":[2],"data_offsets":[12,20]},"d":{"dtype":"U8","shape":[8],"data_offsets":[20,28]},
            "d":{"dtype":"U8","shape":[],"data_offsets":[9223372036854775806,9223372036854775807]}}
            """#
        let length = UInt64(header.utf8.count)
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8) + [0, 0]
        let config = try TinyCheckpoint().configJSON
        let faults = try bytes.withUnsafeBytes { file in
            try config.withUnsafeBytes { config in
                let files = ["model.safetensors": file, "config.json": config]
                return try CheckpointSurvey(.memory(name: "memory", files)).problems
            }
        }.map(\.error.description)
        let expected = [
            "dtype: expected one of F64", "b: expected F32 [3] to have as many bytes", "c: expected data at offset 16",
            "d: expected each tensor once", "expected 9223372036854775807 bytes of data after the header, found 2",
        ]
        #expect(faults.count == expected.count, "\(faults)")
        for (fault, text) in zip(faults, expected) { #expect(fault.contains(text), "\(fault)") }
    }

    @Test func filesThatNothingRefersTo() throws {
        let found = try problems(TinyCheckpoint()) { folder in
            for name in ["model-00003-of-00003.safetensors", "other.safetensors", "notes.txt"] {
                try Data().write(to: URL(fileURLWithPath: folder + "/" + name))
            }
        }
        #expect(kinds(found) == ["extra model-00003-of-00003.safetensors"])
    }

    @Test func aTensorInAnotherFileThanTheIndexSays() throws {
        let found = try problems(TinyCheckpoint()) { folder in
            let url = URL(fileURLWithPath: folder + "/model.safetensors.index.json")
            let text = try String(contentsOf: url, encoding: .utf8)
            let entry = try #require(text.range(of: #""model.norm.weight":"model-0000"#))
            var changed = text
            let digit = text[entry.upperBound]
            changed.replaceSubrange(entry.upperBound...entry.upperBound, with: digit == "1" ? "2" : "1")
            try changed.write(to: url, atomically: true, encoding: .utf8)
        }
        #expect(kinds(found) == ["different model.norm.weight"])
    }

    @Test func aConfigThatCannotBeReadLeavesTheHeaders() throws {
        let found = try problems(TinyCheckpoint()) { folder in
            try Data("{".utf8).write(to: URL(fileURLWithPath: folder + "/config.json"))
            try FileManager.default.removeItem(atPath: folder + "/" + Self.shards[0])
        }
        #expect(kinds(found) == ["damaged config.json", "missing \(Self.shards[0])"])
        #expect(throws: CheckpointError.self) { _ = try CheckpointSurvey(.folder("/nowhere")) }
    }

    // MARK: Elements

    @Test(arguments: Oracle.allCases) func theOraclesAreRight(oracle: Oracle) throws {
        let survey = try CheckpointSurvey(.folder(try oracle.folder()))
        #expect(survey.problems.isEmpty && survey.notes == ["expected.safetensors is no part of the model"])
        var last = (0, 0)
        let found = survey.read(nil) {
            last = ($0, $1); return true
        }
        #expect(found == [] && last.0 == last.1 && last.0 > 0)
    }

    @Test(arguments: [
        (Oracle.v3FP8, "model.layers.1.self_attn.o_proj.weight", 3 * 256 + 5, [0x7F, 0xFF, 0x7E], [3, 5], 2),
        (.v2BF16, "model.layers.0.input_layernorm.weight", 2 * 7, [0x80, 0x7F, 0xC0, 0xFF], [7], 2),
        (.v3FP8, "model.layers.1.self_attn.o_proj.weight_scale_inv", 4, [0, 0, 0, 0, 0, 0, 0x80, 0xBF], [0, 1], 2),
        (.kimiK2UE8M0, "model.layers.1.self_attn.o_proj.weight_scale_inv", 1, [0xFF], [1, 0], 1),
    ])
    func badElements(
        oracle: Oracle, tensor: String, offset: Int, bytes: [UInt8], first: [Int], count: Int
    ) throws {
        let model = try TemporaryCheckpoint(oracle)
        try model.overwrite(tensor, at: offset, with: bytes)
        let found = try #require(try CheckpointSurvey(.folder(model.path)).read(nil) { _, _ in true })
        #expect(kinds(found) == ["damaged \(tensor)"])
        #expect(found.first?.badElements == CheckpointProblem.BadElements(first: first, count: count))
        let error = try #require(found.first?.error)
        #expect(error.found.hasPrefix("\(count) of ") && error.found.hasSuffix("the first at \(first)"), "\(error)")
        #expect(error.advice == "\(try #require(found.first?.file)) is damaged: download it again")
    }

    /// The first bad element is reported, regardless of the order in which the parts of a tensor are read.
    @Test(arguments: [100, 777, 1 << 26]) func theFirstBadElementIsTheFirst(stretchByteCount: Int) throws {
        let (model, tensor) = (try TemporaryCheckpoint(.v3FP8), "model.layers.1.self_attn.o_proj.weight")
        for offset in [258, 300, 60_000, 65_535] { try model.overwrite(tensor, at: offset, with: [0xFF]) }
        let survey = try CheckpointSurvey(.folder(model.path))
        let found = try #require(survey.read(nil, stretchByteCount: stretchByteCount) { _, _ in true })
        #expect(found.map(\.badElements) == [CheckpointProblem.BadElements(first: [1, 2], count: 4)])
    }

    /// Bad elements at odd addresses, at the edges of the stretches that are read at once, are each found exactly once.
    @Test(arguments: [1, 3, 4]) func bordersHideNothing(lead: Int) throws {
        let count = 3 << 18
        let bad = [0, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, (2 << 18) - 1, 2 << 18, count - 1]
        var floats = [Float](repeating: 1, count: count)
        for index in bad { floats[index] = .nan }
        let data = floats.withUnsafeBytes { Array($0) }
        let tensors = [
            TensorInfo(name: "lead", type: .u8, shape: [lead], byteCount: lead, shard: "f", offset: 9),
            TensorInfo(name: "x", type: .f32, shape: [count], byteCount: data.count, shard: "f", offset: 9 + lead),
        ]
        let bytes = [UInt8](repeating: 0xFF, count: 9 + lead) + data
        try bytes.withUnsafeBytes { raw in
            let file = RandomAccessFile(name: "f", bytes: raw)
            let whole = FileScan.Stretch(name: "f", file: file, tensors: tensors, range: 0..<raw.count, digest: "")
            let parts = FileScan.stretches(of: file, named: "f", tensors, byteCount: 1_000_001)
            #expect(parts.first?.range.lowerBound == 9 && parts.last?.range.upperBound == raw.count)
            for stretches in [[whole], parts] {
                let scans = try stretches.map { try FileScan($0) { _ in true } }
                #expect(scans.compactMap { $0.findings["x"]?.first }.min() == 0)
                #expect(scans.reduce(0) { $0 + ($1.findings["x"]?.count ?? 0) } == bad.count)
                #expect(scans.allSatisfy { $0.findings["lead"] == nil })
            }
        }
    }

    /// A tensor of the same name in a file other than the one that the index names is not used.
    @Test func aTensorInTwoFiles() throws {
        let config = try TinyCheckpoint().configJSON
        let index = Array(#"{"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}"#.utf8)
        func file(_ shape: String, _ data: [UInt8]) -> [UInt8] {
            let header = Array(#"{"x":{"dtype":"BF16","shape":\#(shape),"data_offsets":[0,\#(data.count)]}}"#.utf8)
            return SafetensorsHeader.length(header.count) + header + data
        }
        let (own, other) = (file("[0,2]", []), file("[2]", [1, 2, 0xFF, 0xFF]))
        try withMemory([
            "config.json": config, ShardSet.indexFile: index, "a.safetensors": own, "b.safetensors": other,
        ]) { source in
            let survey = try CheckpointSurvey(source)
            #expect(kinds(survey.problems).contains("different x"))
            #expect(survey.read(nil) { _, _ in true } == [])
        }
    }

    @Test func itCanBeStopped() throws {
        let survey = try CheckpointSurvey(.folder(try Oracle.v3FP8.folder()))
        #expect(survey.read(nil) { _, _ in false } == nil)
    }

    // MARK: Checksums

    @Test func checksums() throws {
        let tiny = try TinyCheckpoint()
        var sums: [String] = []
        _ = try tiny.complaint { folder in
            for file in Self.shards + ["config.json"] { sums.append("\(try digest(folder, file))  \(file)") }
        }
        // The order of the config's keys varies.
        sums.removeLast()
        #expect(try problems(tiny, checksums: sums.joined(separator: "\n")).isEmpty)
        let other = String(repeating: "0", count: 64)
        let wrong = [
            "\(other) *./\(Self.shards[0])",
            sums[1].uppercased().replacing(Self.shards[1].uppercased(), with: Self.shards[1]),
        ]
        let found = try problems(tiny, checksums: wrong.joined(separator: "\r\n") + "\r\n")
        #expect(kinds(found) == ["damaged \(Self.shards[0])"])
        #expect(
            found.first?.error.expected == "SHA-256 \(other)" && found.first?.error.found == String(sums[0].prefix(64)))
        let more = [sums[0], "\(other)  config.json", "\(other)  tokenizer.json"].joined(separator: "\n")
        #expect(
            kinds(try problems(tiny, checksums: more)) == [
                "missing \(Self.shards[1])", "missing tokenizer.json", "damaged config.json",
            ])
    }

    @Test(arguments: [
        ("", "expected checksums"), ("\n\n", "expected checksums"), ("abc  a", ":1: expected 64 hexadecimal"),
        (String(repeating: "a", count: 64) + " a", ":1: expected 64"),
        (String(repeating: "a", count: 64) + "  ", ":1: expected 64"),
        (String(repeating: "a", count: 65) + "  a", ":1: expected 64"),
        ("SHA256 (a) = 00", ":1: expected 64"),
        ("\n" + String(repeating: "a", count: 64) + "  ../a", ":2: expected the name"),
        (String(repeating: "a", count: 64) + "  ./", ":1: expected the name"),
        (
            Array(repeating: String(repeating: "a", count: 64) + "  a", count: 2).joined(separator: "\n"),
            ":2: expected each"
        ),
    ])
    func checksumLists(text: String, expected: String) {
        #expect {
            _ = try ChecksumList(Array(text.utf8), name: "sums")
        } throws: {
            "\($0)".contains("sums") && "\($0)".contains(expected)
        }
    }
}
