import FixtureSupport
import Foundation
import Glibc
import Numerics
import Testing

@testable import Checkpoint

/// An interrupted conversion leaves a folder that does not open as a checkpoint, unless it is complete, and that the
/// same command resumes.
@Suite struct ConversionSafetyTests {
    /// Stops four conversions at 240 points, most of them twice: during a write, before a flush, between two renames.
    /// (After the fault all operations fail, which leaves the same files as SIGKILL.)
    @Test(arguments: [
        ConversionOptions(format: .bf16), ConversionOptions(format: .int4),
        ConversionOptions(format: .int8, rankCount: 2),
        ConversionOptions(rankCount: 2),
    ])
    func killedAnywhere(options: ConversionOptions) throws {
        let (source, folder) = (try Conversions.folder(isFP8: true), try TemporaryFolder())
        let plan = try ConversionPlan(ConversionSource(folder: source.path), options)
        let expectedPath = folder.path + "/expected"
        let all = Faults(after: .max)
        _ = try plan.run(into: expectedPath, threadCount: 2, files: all.files)
        let expected = try Conversions.files(expectedPath)
        let before = try Conversions.files(source.path)
        var random = SeededRandom(seed: 11)
        for attempt in 0..<60 {
            let target = folder.path + "/\(attempt)"
            // A third of the attempts each at the beginning, at the end (where files are renamed) and at the writes.
            let place =
                attempt % 3 == 0
                ? attempt / 3 : attempt % 3 == 1 ? all.count - 1 - attempt / 3 : Int(random.next() % UInt64(all.count))
            var limit = place
            for _ in 0..<2 {
                let outcome = Result { try plan.run(into: target, threadCount: 2, files: Faults(after: limit).files) }
                if try isFinished(target, expected, outcome) { break }
                limit = Int(random.next() % UInt64(all.count))
            }
            if try Conversions.files(target) != expected { _ = try plan.run(into: target, threadCount: 2) }
            #expect(try Conversions.files(target) == expected, "stopped at \(place)")
            try FileManager.default.removeItem(atPath: target)
        }
        #expect(try Conversions.files(source.path) == before)
    }

    /// Whether the checkpoint is complete, although the conversion failed. If it is not, checks that it does not open.
    private func isFinished(
        _ target: String, _ expected: [String: Data], _ outcome: Result<ConversionResult, any Error>
    ) throws -> Bool {
        guard FileManager.default.fileExists(atPath: target) else { return false }
        var found = try Conversions.files(target)
        let hasConfig = found["config.json"] != nil
        if !hasConfig { #expect(throws: CheckpointError.self) { try Checkpoint(.folder(target)) } }
        let isJournalled = found.removeValue(forKey: ConversionFolder.journal) != nil
        if hasConfig { #expect(found == expected) }
        if case .success = outcome { #expect(hasConfig && !isJournalled) }
        return hasConfig && !isJournalled
    }

    /// Complete files are not written again.
    @Test func finishedFilesAreKept() throws {
        let (source, folder) = (try Conversions.folder(isFP8: true), try TemporaryFolder())
        let plan = try ConversionPlan(ConversionSource(folder: source.path), ConversionOptions(format: .bf16))
        let target = folder.path + "/out"
        let all = Faults(after: .max)
        _ = try plan.run(into: folder.path + "/all", threadCount: 1, files: all.files)
        #expect(throws: CheckpointError.self) {
            try plan.run(into: target, threadCount: 1, files: Faults(after: all.count - 12).files)
        }
        let result = try plan.run(into: target, threadCount: 1)
        #expect(result.keptFiles.first == "model-00001-of-00002.safetensors")
        #expect(try Conversions.files(target) == Conversions.files(folder.path + "/all"))
    }

    @Test(arguments: [(ENOSPC, "No space left"), (EIO, "Input/output error"), (EDQUOT, "quota")])
    func faultsAreCleanErrors(code: CInt, text: String) throws {
        let (source, folder) = (try Conversions.folder(isFP8: true), try TemporaryFolder())
        let plan = try ConversionPlan(ConversionSource(folder: source.path), ConversionOptions(format: .bf16))
        let target = folder.path + "/out"
        // After the operations that write the journal.
        for place in [20, 30, 40] {
            let faults = Faults(after: place, code: code, staysDead: false)
            let error = try #require(throws: CheckpointError.self) {
                try plan.run(into: target, threadCount: 2, files: faults.files)
            }
            #expect(error.description.contains(text) && error.subject.hasPrefix(target), "\(error)")
            #expect(code != ENOSPC || error.description.contains("make room"))
            let left = try FileManager.default.contentsOfDirectory(atPath: target)
            #expect(!left.contains { $0.hasSuffix(".partial") } && !left.contains("config.json"), "\(left)")
        }
        _ = try plan.run(into: target)
        _ = try Checkpoint(.folder(target))
    }

    /// A source that is truncated while it is read.
    @Test func readErrorsNameTheFile() throws {
        let (source, folder) = (try Conversions.folder(isFP8: true), try TemporaryFolder())
        let plan = try ConversionPlan(ConversionSource(folder: source.path), ConversionOptions(format: .bf16))
        #expect(truncate(source.path + "/model-00002-of-00002.safetensors", 20000) == 0)
        let error = try #require(throws: CheckpointError.self) { try plan.run(into: folder.path + "/out") }
        #expect(error.description.contains("model-00002-of-00002.safetensors"), "\(error)")
        #expect(error.description.contains("incomplete or has changed"), "\(error)")
    }

    @Test func weightsWithoutAScaleAreNamed() throws {
        let checkpoint = try TemporaryCheckpoint(.v2BF16)
        let name = "model.layers.1.mlp.experts.3.up_proj.weight"
        try checkpoint.overwrite(name, at: 2 * (256 * 5 + 7), with: [0x80, 0x7F])
        let folder = try TemporaryFolder()
        for format in [ConversionOptions.Format.fp8, .int4] {
            let error = try #require(throws: CheckpointError.self) {
                try Conversions.convert(
                    checkpoint.path, ConversionOptions(format: format), into: folder.path + "/\(format)")
            }
            #expect(error.subject == name + " [5, 7]" && error.found == "inf", "\(error)")
        }
    }

    // MARK: Places

    @Test func theSourceIsNeverATarget() throws {
        let source = try Conversions.folder(isFP8: true)
        let before = try Conversions.files(source.path)
        let link = source.path + "-link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: source.path)
        defer { unlink(link) }
        let parent = source.url("").deletingLastPathComponent().path
        for target in [source.path, source.path + "/", source.path + "/inside", link, link + "/inside", parent] {
            let error = try #require(throws: CheckpointError.self) {
                let plan = try ConversionPlan(
                    ConversionSource(folder: source.path), ConversionOptions(format: .bf16))
                _ = try plan.run(into: target, force: true)
            }
            #expect(error.description.contains("apart from the source's"), "\(target): \(error)")
        }
        #expect(try Conversions.files(source.path) == before)
    }

    @Test func existingFilesAreReplacedOnlyByForce() throws {
        let (source, folder) = (try Conversions.folder(isFP8: true), try TemporaryFolder())
        let target = folder.path + "/out"
        func run(_ options: ConversionOptions, force: Bool = false, files: ConversionFiles = ConversionFiles()) throws {
            let plan = try ConversionPlan(ConversionSource(folder: source.path), options)
            _ = try plan.run(into: target, force: force, threadCount: 1, files: files)
        }
        func complaint(_ options: ConversionOptions) -> String {
            do { try run(options) } catch { return "\(error)" }
            return ""
        }
        let (bf16, int4) = (ConversionOptions(format: .bf16), ConversionOptions(format: .int4))
        try run(bf16)
        let first = try Conversions.files(target)
        #expect(
            complaint(bf16).contains("expected an empty folder") && complaint(int4).contains("force the conversion"))
        #expect(try Conversions.files(target) == first)
        // A file that does not belong to a checkpoint is kept.
        try Data("x".utf8).write(to: URL(fileURLWithPath: target + "/notes.txt"))
        try run(int4, force: true)
        #expect(try Conversions.files(target)["notes.txt"] != nil)
        // Another conversion, unfinished.
        #expect(throws: CheckpointError.self) { try run(bf16, force: true, files: Faults(after: 40).files) }
        #expect(complaint(int4).contains("another conversion unfinished"))
        try run(int4, force: true)
        // The same conversion, of a source that has changed.
        #expect(throws: CheckpointError.self) { try run(bf16, force: true, files: Faults(after: 40).files) }
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1)],
            ofItemAtPath: source.path + "/model-00001-of-00002.safetensors")
        #expect(complaint(bf16).contains("has changed since"))
        try run(bf16, force: true)
        _ = try Checkpoint(.folder(target))
    }

    /// Output older than the source is not the finished conversion. The dates include 2300, which overflows 64 bits of
    /// nanoseconds.
    @Test func aFinishedConversionIsAsNewAsItsSource() throws {
        let (source, folder) = (try Conversions.folder(isFP8: true), try TemporaryFolder())
        let plan = try ConversionPlan(ConversionSource(folder: source.path), ConversionOptions(format: .bf16))
        let target = folder.path + "/out"
        #expect(try plan.finished(in: target) == nil)
        _ = try plan.run(into: target)
        #expect(try plan.finished(in: target) != nil && plan.finished(in: target, force: true) == nil)
        func date(_ folder: String) throws {
            for file in try FileManager.default.contentsOfDirectory(atPath: folder) {
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSince1970: 330 * 365.25 * 86400)],
                    ofItemAtPath: "\(folder)/\(file)")
            }
        }
        try date(source.path)
        #expect(throws: CheckpointError.self) { try plan.finished(in: target) }
        try date(target)
        #expect(try plan.finished(in: target) != nil)
    }

    @Test func twoAtOnceDoNotMeet() throws {
        let (source, folder) = (try Conversions.folder(isFP8: true), try TemporaryFolder())
        let plan = try ConversionPlan(ConversionSource(folder: source.path), ConversionOptions(format: .bf16))
        let target = folder.path + "/out"
        let held = try ConversionFolder(target, for: plan, force: false, files: ConversionFiles())
        let error = try #require(throws: CheckpointError.self) { try plan.run(into: target) }
        #expect(error.found.contains("another conversion running there"))
        withExtendedLifetime(held) {}
        #expect(throws: CheckpointError.self) { try plan.run(into: folder.path + "/no/such/folder") }
        try Data().write(to: folder.url("file"))
        #expect(throws: CheckpointError.self) { try plan.run(into: folder.path + "/file") }
    }
}
