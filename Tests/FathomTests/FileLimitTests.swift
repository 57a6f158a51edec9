import FixtureSupport
import Foundation
import Testing

/// A checkpoint of more files than the process may have open.
@Suite struct FileLimitTests {
    /// A model with 239 further files, each with a tensor that no model has.
    private func model() throws -> TemporaryCheckpoint {
        let model = try TemporaryCheckpoint(.v3FP8)
        let index = model.path + "/model.safetensors.index.json"
        let data = try Data(contentsOf: URL(fileURLWithPath: index))
        var document = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        var map = try #require(document["weight_map"] as? [String: String])
        for number in 0..<239 {
            let (tensor, file) = ("extra.\(number)", "extra-\(number).safetensors")
            map[tensor] = file
            let header = "{\"\(tensor)\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
            let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
            try (length + Data(header.utf8) + Data(count: 4)).write(
                to: URL(fileURLWithPath: model.path + "/" + file))
        }
        document["weight_map"] = map
        try JSONSerialization.data(withJSONObject: document).write(to: URL(fileURLWithPath: index))
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
