import FixtureSupport
import Foundation
import Testing

/// Models that are damaged, through the whole program: the thing is named, nothing is on stdout and no file is made.
@Suite(.serialized) struct FaultyModelTests {
    struct Damage: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// Spoils the folder of a model.
        var spoil: @Sendable (TemporaryCheckpoint) throws -> Void
        var message: String

        init(_ name: String, _ message: String, _ spoil: @escaping @Sendable (TemporaryCheckpoint) throws -> Void) {
            testDescription = name
            self.message = message
            self.spoil = spoil
        }
    }

    private static let shard = "model-00001-of-00002.safetensors"
    private static let index = "model.safetensors.index.json"

    static let damages = [
        Damage("no config", ": expected config.json, found none: name the folder that holds it") {
            try FileManager.default.removeItem(atPath: $0.path + "/config.json")
        },
        Damage("a config that is no JSON", "config.json:1:") {
            try write("{\"model_type\": ", to: "config.json", of: $0)
        },
        Damage("another family", "config.json: model_type: expected one of deepseek_v2") {
            try write("{\"model_type\": \"llama\"}", to: "config.json", of: $0)
        },
        Damage("no shards", "expected model.safetensors or model.safetensors.index.json, found neither") { model in
            for file in try FileManager.default.contentsOfDirectory(atPath: model.path)
            where file.contains(".safetensors") {
                try FileManager.default.removeItem(atPath: model.path + "/" + file)
            }
        },
        Damage("a shard that is not there", "\(shard): expected a readable file, found no such file") {
            try FileManager.default.removeItem(atPath: $0.path + "/" + shard)
        },
        Damage("a truncated shard", "\(shard): expected") { model in
            let path = model.path + "/" + shard
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
            try #require(truncate(path, off_t(size - 1)) == 0)
        },
        Damage("an empty shard", "\(shard): expected a safetensors header, found 0 bytes") {
            try write("", to: shard, of: $0)
        },
        Damage("a header beyond the file", "\(shard): expected a header") { model in
            let file = try #require(FileHandle(forWritingAtPath: model.path + "/" + shard))
            try file.write(contentsOf: [0xFF, 0xFF, 0xFF, 0])
            try file.close()
        },
        Damage("a shard elsewhere", "expected the name of a .safetensors file in the same folder") {
            try write("{\"weight_map\": {\"model.norm.weight\": \"../x.safetensors\"}}", to: index, of: $0)
        },
        Damage(
            "NaN in FP8",
            "model.layers.1.self_attn.o_proj.weight: expected finite weights, found NaN or infinity (F8_E4M3) at [3, 5]"
        ) {
            try $0.overwrite("model.layers.1.self_attn.o_proj.weight", at: 3 * 256 + 5, with: [0x7F])
        },
        Damage("values that overflow", "no longer finite (Inf or NaN), first in layer 1") {
            // 3e38 in F32, for each block.
            try $0.overwrite(
                "model.layers.1.self_attn.o_proj.weight_scale_inv", at: 0,
                with: Array(repeating: [0x99, 0x76, 0x61, 0x7F], count: 4).flatMap { $0 })
        },
    ]

    @Test(arguments: damages) func isNamed(damage: Damage) throws {
        let model = try TemporaryCheckpoint(.v3FP8)
        try damage.spoil(model)
        let folder = try TemporaryFolder()
        for device in [["--device", "cpu"], []] {
            let arguments = ["--model", model.path] + device
            for command in [
                ["generate", "--prompt-tokens", "1,2,3", "--max-new-tokens", "2"],
                ["logits", "--tokens", "1,2,3", "--out", folder.path + "/logits.safetensors"],
                ["bench", "--prompt", "2", "--generate", "1", "--repeats", "1"],
            ] {
                let result = try Program.run(command + arguments)
                #expect(result.status == 1 && result.output.isEmpty, "\(command) \(result)")
                #expect(result.errors.contains(damage.message), "\(command) \(result.errors)")
            }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test func placesThatHoldNoModel() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("file", "")
        let commands = [
            ["chat"], ["generate", "x"], ["generate", "--prompt-tokens", "1"], ["bench"],
            ["logits", "--tokens", "1", "--out", "/dev/null"],
        ]
        for command in commands {
            let cpu = command + ["--device", "cpu", "--model"]
            for (path, message) in [
                (folder.path, "expected config.json, found none"),
                (file, "expected a folder with a checkpoint that can be read"),
                ("/nowhere", "/nowhere: expected a folder with a checkpoint"),
            ] {
                let result = try Program.run(cpu + [path])
                #expect(result.status == 1 && result.output.isEmpty, "\(command) \(result)")
                #expect(result.errors.contains(path) && result.errors.contains(message), "\(command) \(result.errors)")
            }
            let empty = try Program.run(cpu + [""])
            #expect(empty.status == 64 && empty.errors.contains("--model: expected a folder"), "\(command) \(empty)")
        }
    }

    /// A folder that may not be entered. Root enters every folder, so the program then runs as nobody.
    @Test func aFolderThatMayNotBeRead() throws {
        let folder = try TemporaryFolder()
        _ = try folder.write("config.json", "{}")
        try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: folder.path)
        defer { try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder.path) }
        let result = try Program.runUnprivileged(["generate", "--device", "cpu", "--model", folder.path, "x"])
        #expect(
            result.status == 1
                && result.errors.contains(
                    "\(folder.path): expected a folder with a checkpoint that can be read, found: Permission denied"),
            "\(result)")
    }

    @Test func aShardThatMayNotBeRead() throws {
        let model = try TemporaryCheckpoint(.v3FP8)
        let shard = model.path + "/" + Self.shard
        try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: shard)
        let result = try Program.runUnprivileged([
            "generate", "--device", "cpu", "--model", model.path, "--prompt-tokens", "1",
        ])
        #expect(result.status == 1, "\(result)")
        #expect(result.errors == "Error: \(shard): expected a readable file, found Permission denied\n")
    }

    private static func write(_ text: String, to file: String, of model: TemporaryCheckpoint) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: model.path + "/" + file))
    }
}
