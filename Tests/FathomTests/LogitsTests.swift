import FixtureSupport
import Foundation
import Numerics
import Testing

@Suite(.serialized) struct LogitsTests {
    @Test(arguments: Oracle.allCases)
    func theFileHoldsWhatAnotherImplementationComputes(oracle: Oracle) throws {
        let model = try oracle.folder()
        let expected = try SafetensorsReader(path: model + "/expected.safetensors")
        let tokens = try expected.integers("tokens").map(String.init).joined(separator: ",")
        let folder = try TemporaryFolder()
        let out = folder.path + "/all.safetensors"
        let arguments = ["logits", "--model", model, "--device", "cpu", "--tokens", tokens, "--out"]
        let result = try Program.run(arguments + [out, "--all"])
        #expect(result.status == 0 && result.output.isEmpty, "\(result.errors)")
        let found = try SafetensorsReader(path: out)
        #expect(try found.names == expected.names.subtracting(["tokens", "greedy"]))
        for name in try found.names {
            #expect(try found.shape(name) == expected.shape(name), "\(name)")
            if name.hasPrefix("router_experts") {
                #expect(try found.integers(name) == expected.integers(name), "\(name)")
            } else {
                #expect(try similarityDistance(found.floats(name), expected.floats(name)) < 1e-9, "\(name)")
            }
        }
        // Without --all, in chunks: the same logits, but for the FP32 rounding of attention's other form (1.4e-12 at most
        // here, where either is up to 2.4e-12 from the other implementation's), and nothing else.
        let plain = folder.path + "/logits.safetensors"
        #expect(try Program.run(arguments + [plain, "--chunk", "7"]).status == 0)
        let logits = try SafetensorsReader(path: plain)
        #expect(try logits.names == ["logits"])
        #expect(try similarityDistance(logits.floats("logits"), found.floats("logits")) < 5e-12)
    }

    @Test func wrongInputIsNamed() throws {
        let folder = try TemporaryFolder()
        let out = folder.path + "/out.safetensors"
        let cpu = ["logits", "--device", "cpu", "--out"]
        for tokens in ["", " "] {
            let none = try Program.run(cpu + [out, "--tokens", tokens])
            #expect(none.status == 64 && none.errors.contains("--tokens: expected at least one token id"), "\(none)")
        }
        let range = try Program.run(cpu + [out, "--tokens", "-1,2"])
        #expect(range.status == 1 && range.errors.contains("token id -1: expected 0 to"), "\(range.errors)")
        let place = try Program.run(cpu + ["/nowhere/out.safetensors", "--tokens", "1"])
        #expect(place.status == 1 && place.errors.contains("/nowhere/out.safetensors"), "\(place.errors)")
        let words = try Program.run(cpu + [out, "--tokens", "1,two"])
        #expect(words.status == 64 && words.errors.contains("number 2 is \"two\""))
        #expect(
            try Program.run(cpu + [out, "--tokens", "1", "--chunk", "0"]).errors.contains("--chunk: expected 1 or more")
        )
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        let directory = try Program.run(cpu + [folder.path, "--tokens", "1"])
        #expect(directory.status == 1 && directory.errors.contains("found Is a directory"), "\(directory.errors)")
        // A place is looked at before a model.
        let both = try Program.run(cpu + ["/nowhere/x", "--tokens", "1", "--model", "/nowhere"])
        #expect(both.status == 1 && both.errors.contains("/nowhere/x: expected a folder that can be written to"))
    }

    @Test func aFullDiskLeavesTheOldFile() throws {
        let folder = try TemporaryFolder()
        let out = try folder.write("out.safetensors", "old")
        let arguments = ["logits", "--device", "cpu", "--tokens", "1,2,3", "--out"]
        let device = try Program.run(arguments + ["/dev/full"])
        #expect(device.status == 1 && device.errors.contains("/dev/full: expected"), "\(device.errors)")
        #expect(device.errors.contains("more bytes to be written, found No space left on device"))
        // A file may not grow beyond a kilobyte here: the write fails in the middle.
        let limited = try Program.start(
            ["-c", "ulimit -f 1; exec \"$0\" \"$@\"", Program.url.path] + arguments + [out],
            program: URL(fileURLWithPath: "/bin/bash")
        ).finish()
        #expect(limited.status == 1 && limited.errors.contains("\(out): expected"), "\(limited)")
        #expect(limited.errors.contains("found File too large"))
        #expect(try String(contentsOfFile: out, encoding: .utf8) == "old")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["out.safetensors"])
    }
}
