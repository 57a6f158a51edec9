import FixtureSupport
import Foundation
import Glibc
import Testing

@testable import Checkpoint

/// Callers distinguish errors by their kind, not by their text.
@Suite struct ErrorKindTests {
    private static let shard = "/model-00001-of-00002.safetensors"

    private func kind(_ body: () throws -> Void) throws -> CheckpointError.Kind? {
        do { try body() } catch let error as CheckpointError { return error.kind }
        return nil
    }

    /// The kind of the error with which a small checkpoint opens once its folder is spoiled.
    private func kind(ofSpoiled spoil: (String) throws -> Void) throws -> CheckpointError.Kind? {
        try kind { try TinyCheckpoint().open(spoil) }
    }

    private func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    @Test func filesThatAreNotThere() throws {
        #expect(try kind { _ = try Checkpoint(.folder("/nowhere")) } == .missing)
        for file in ["/config.json", Self.shard, "/model.safetensors.index.json"] {
            #expect(
                try kind(ofSpoiled: { try FileManager.default.removeItem(atPath: $0 + file) }) == .missing, "\(file)")
        }
    }

    @Test func damagedFiles() throws {
        let cut = try kind(ofSpoiled: { try #require(truncate($0 + Self.shard, 2000) == 0) })
        #expect(cut == .damaged)
        #expect(try kind(ofSpoiled: { try write("{\"model_type\": ", $0 + "/config.json") }) == .damaged)
        #expect(try kind(ofSpoiled: { try write("{}", $0 + "/model.safetensors.index.json") }) == .damaged)
        let other = try kind {
            var tiny = try TinyCheckpoint()
            tiny.config["vocab_size"] = 4096
            try tiny.open()
        }
        #expect(other == .damaged)
    }

    @Test func unsupportedModels() throws {
        #expect(try kind(ofSpoiled: { try write("{\"model_type\": \"llama\"}", $0 + "/config.json") }) == .unsupported)
        let (source, folder) = (try Conversions.folder(isFP8: true), try TemporaryFolder())
        try Conversions.convert(source.path, ConversionOptions(rankCount: 2), into: folder.path + "/split")
        #expect(try kind { _ = try Checkpoint(.folder(folder.path + "/split")) } == .unsupported)
    }

    @Test func whatTheSystemRefuses() throws {
        let (source, folder) = (try Conversions.folder(isFP8: true), try TemporaryFolder())
        let plan = try ConversionPlan(ConversionSource(folder: source.path), ConversionOptions(format: .bf16))
        let full = try kind {
            _ = try plan.run(into: folder.path + "/out", files: Faults(after: 30, code: ENOSPC).files)
        }
        #expect(full == .system(ENOSPC))
        #expect(
            try kind { try SafetensorsWriter.write(tensors: [("a", [1], .f32, [0, 0, 0, 0])], to: "/dev/full") }
                == .system(ENOSPC))
        #expect(try kind { try SafetensorsWriter.write(tensors: [], to: "/nowhere/a") } == .missing)
    }

    @Test func whatCannotBeDone() throws {
        let (source, folder) = (try Conversions.folder(isFP8: true), try TemporaryFolder())
        try write("mine", folder.path + "/notes.txt")
        let plan = try ConversionPlan(ConversionSource(folder: source.path), ConversionOptions(format: .bf16))
        #expect(try kind { _ = try plan.run(into: folder.path) } == .refused)
        #expect(try kind { _ = try plan.run(into: source.path + "/inside") } == .refused)
        let stopped = try kind {
            try SafetensorsWriter.write(tensors: [], to: folder.path + "/a") { true }
        }
        #expect(stopped == .interrupted && !FileManager.default.fileExists(atPath: folder.path + "/a"))
    }
}
