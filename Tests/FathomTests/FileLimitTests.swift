import FixtureSupport
import Foundation
import Testing

/// A checkpoint of more files than the process may have open.
struct FileLimitTests {
    /// A model with 239 further files, each with a tensor that no model has.
    private func model() throws -> TemporaryCheckpoint {
        let model = try TemporaryCheckpoint(.v3FP8)
        try model.add((0..<239).map { ("extra.\($0)", "extra-\($0).safetensors") })
        return model
    }

    private func inspect(_ model: TemporaryCheckpoint, limit: String) throws -> Program.Result {
        let command = "ulimit \(limit) 100 && exec \"$0\" inspect \"$1\""
        return try Program.start(
            ["-c", command, Program.url.path, model.path], program: URL(fileURLWithPath: "/bin/bash")
        ).finish()
    }

    /// The soft limit is raised; only the tensors are wrong.
    @Test func aSoftLimitIsRaised() throws {
        let result = try inspect(try model(), limit: "-Sn")
        #expect(result.status == 1 && result.errors.contains("extra."), "\(result)")
        #expect(!result.errors.contains("Too many open files"), "\(result.errors)")
    }

    @Test func aHardLimitIsNamed() throws {
        let result = try inspect(try model(), limit: "-n")
        #expect(result.status == 1, "\(result)")
        #expect(
            result.errors.contains("Too many open files; raise the limit of open files (ulimit -n)"),
            "\(result.errors)")
    }
}
