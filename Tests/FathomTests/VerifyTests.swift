import FixtureSupport
import Foundation
import JSON
import Testing

@Suite(.serialized) struct VerifyTests {
    private static let tensor = "model.layers.1.self_attn.o_proj.weight"

    @Test func damageIsNamedWithItsPlace() throws {
        let model = try TemporaryCheckpoint(.v3FP8)
        try model.overwrite(Self.tensor, at: 3 * 256 + 5, with: [0x7F])
        try FileManager.default.removeItem(atPath: model.path + "/expected.safetensors")
        let shard = "model-00001-of-00002.safetensors"
        let text = try Program.run(["verify", model.path])
        #expect(text.status == 1 && text.errors.isEmpty, "\(text)")
        #expect(text.lines.count == 2, "\(text.output)")
        #expect(
            text.lines[0].hasPrefix(
                "damaged   \(Self.tensor): expected numbers, found 1 of 65536 F8_E4M3 that are unused codes, 0x7F or 0xFF, the first at [3, 5]; model-0000"
            ), "\(text.output)")
        #expect(text.lines[1].hasPrefix("\(model.path): 2 files, ") && text.lines[1].hasSuffix(": 1 problem"))

        let json = try Program.run(["verify", "--json", model.path])
        let report = try JSONField(parsing: Array(json.output.utf8), name: "verify")
        #expect(json.status == 1 && json.errors.isEmpty)
        #expect(
            try !report["ok"].bool() && report["weights_read"].bool() && report["files"].int() == 2
                && report["problems"].array().count == 1)
        let problem = try report["problems"].array()[0]
        #expect(try problem["kind"].string() == "damaged" && problem["tensor"].string() == Self.tensor)
        #expect(try problem["first_bad_element"].array().map { try $0.int() } == [3, 5])
        #expect(try problem["bad_elements"].int() == 1 && problem["file"].string().hasPrefix("model-0000"))

        // Nothing is wrong with the names and headers.
        #expect(try Program.run(["verify", "--structure", model.path]).status == 0)
        let sums = try TemporaryFolder()
        let list = try sums.write("sums", String(repeating: "0", count: 64) + "  \(shard)\n")
        let checked = try Program.run(["verify", "--checksums", list, model.path])
        #expect(checked.status == 1 && checked.lines.last?.hasSuffix(": 3 problems") == true, "\(checked)")
        #expect(checked.output.contains("\(shard): expected SHA-256 000000"))
    }

    @Test func aRightCheckpointIsSaidToBe() throws {
        let folder = try Oracle.v2LiteBF16.folder()
        let text = try Program.run(["verify", folder])
        #expect(text.status == 0 && text.lines.count == 1 && text.output.hasSuffix(": all is right\n"), "\(text)")
        #expect(text.errors == "fathom: \(folder): expected.safetensors is no part of the model\n")
        let json = try Program.run(["verify", "--json", folder])
        #expect(try JSONField(parsing: Array(json.output.utf8), name: "verify")["ok"].bool())
    }

    @Test func aFolderWithoutAModel() throws {
        let folder = try TemporaryFolder()
        let result = try Program.run(["verify", folder.path])
        #expect(result.status == 1 && result.output.isEmpty, "\(result)")
        #expect(result.errors.contains("expected model.safetensors or model.safetensors.index.json, found neither"))
        let list = try folder.write("sums", "no checksums\n")
        let wrong = try Program.run(["verify", folder.path, "--checksums", list])
        #expect(wrong.status == 1 && wrong.errors.hasPrefix("Error: \(list):1: expected 64 hexadecimal"), "\(wrong)")
    }

    /// Hundreds of gigabytes of holes: Ctrl-C leaves at once.
    @Test func ctrlCLeavesAtOnce() throws {
        let model = try SparseCheckpoint("moonlight")
        for seconds in [0, 0.3, 1] {
            let running = try Program.start(["verify", model.path])
            Thread.sleep(forTimeInterval: seconds)
            let start = ContinuousClock.now
            kill(running.process.processIdentifier, SIGINT)
            let result = running.finish()
            #expect(result.status == 130 && result.output.isEmpty && result.errors.isEmpty, "\(result)")
            #expect(ContinuousClock.now - start < .seconds(5))
        }
    }
}
