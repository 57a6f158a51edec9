import FixtureSupport
import Foundation
import JSON
import Testing

/// `fathom convert --eval`: the perplexity before and after.
@Suite(.serialized) struct ConvertEvalTests {
    private static let minnow = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Sources/Minnow/checkpoint")
        .path
    private static let story = "What is the capital of France?\nThe capital of France is Paris.\n"

    @Test(arguments: [
        ["--ranks", "2", "--eval", "t"], ["--merge", "--eval", "t"], ["--to", "int4", "--eval", "t", "--dry-run"],
        ["--to", "int4", "--device", "cpu"],
    ])
    func wrongUsage(arguments: [String]) throws {
        let result = try Program.run(["convert", "a", "b"] + arguments)
        #expect(result.status == 64 && result.output.isEmpty && result.errors.contains("Usage"), "\(result)")
        #expect(result.errors.contains("--eval: expected") || result.errors.contains("--device: expected --eval"))
    }

    /// Before anything is converted.
    @Test func whatCannotBeMeasuredIsNamed() throws {
        let folder = try TemporaryFolder()
        let target = folder.path + "/out"
        func errors(_ source: String, _ text: String, device: String = "cpu", _ options: [String] = []) throws -> String
        {
            let result = try Program.run(
                ["convert", source, target, "--to", "int4", "--eval", text, "--device", device] + options)
            #expect(result.status == 1 && result.output.isEmpty, "\(result)")
            #expect(!FileManager.default.fileExists(atPath: target))
            return result.errors
        }
        let story = try folder.write("story.txt", Self.story)
        #expect(try errors(Self.minnow, "/nowhere.txt").contains("/nowhere.txt: expected a file that can be read"))
        #expect(
            try errors(Self.minnow, folder.write("empty.txt", "")).contains("two tokens or more, found an empty file"))
        let latin = try folder.write("latin.txt", Data([0x61, 0xE9, 0x62]))
        #expect(try errors(Self.minnow, latin).contains("found byte 233 at offset 1"))
        #expect(try errors("/nowhere", story).contains("/nowhere: expected a model's folder"))
        let noDevice = try errors(Self.minnow, story, device: "no such device")
        #expect(noDevice.contains("no such device") && noDevice.contains("leave --eval out"), "\(noDevice)")

        // A model whose texts begin with no token of their own, and one without a tokenizer.
        let files = FileManager.default
        let source = folder.path + "/source"
        try files.copyItem(atPath: Self.minnow, toPath: source)
        var config = try #require(
            try JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(fileURLWithPath: source + "/tokenizer_config.json")))
                as? [String: Any])
        config["add_bos_token"] = false
        try JSONSerialization.data(withJSONObject: config).write(
            to: URL(fileURLWithPath: source + "/tokenizer_config.json"))
        let short = try errors(source, folder.write("short.txt", "a"))
        #expect(short.contains("short.txt: expected a text of two tokens or more, found 1"), "\(short)")
        try files.removeItem(atPath: source + "/tokenizer.json")
        let mute = try errors(source, story)
        #expect(mute.contains("tokenizer.json") && mute.contains("leave --eval out"), "\(mute)")

        // What lies in the way is known before the source is measured.
        try files.createDirectory(atPath: target, withIntermediateDirectories: false)
        _ = try folder.write("out/notes.txt", "x")
        let full = try Program.run([
            "convert", Self.minnow, target, "--to", "int4", "--eval", story, "--device", "cpu",
        ])
        #expect(full.status == 1 && full.errors.contains("expected an empty folder, found notes.txt in it"), "\(full)")
    }

    private func perplexity(of model: String, _ text: String) throws -> Double {
        let result = try Program.run(["perplexity", "--device", "cpu", "--model", model, "--text", text, "--json"])
        #expect(result.status == 0, "\(result)")
        return try JSONField(parsing: Array(result.output.utf8), name: "perplexity")["perplexity"].double()
    }

    /// Both are what `perplexity` says of each folder.
    @Test func bothAreWhatPerplexitySays() throws {
        let folder = try TemporaryFolder()
        let text = try folder.write("story.txt", Self.story)
        let bf16 = folder.path + "/bf16"
        for (source, format) in [(Self.minnow, "bf16"), (Self.minnow, "int4"), (bf16, "int8"), (bf16, "fp8")] {
            let target = folder.path + "/" + format
            let result = try Program.run([
                "convert", source, target, "--to", format, "--eval", text, "--device", "cpu", "--json",
            ])
            #expect(result.status == 0, "\(result)")
            let report = try JSONField(parsing: Array(result.output.utf8), name: "report")
            let found = try report["perplexity"]
            let (before, after) = (try perplexity(of: source, text), try perplexity(of: target, text))
            #expect(try found["source"].double() == before && found["target"].double() == after)
            #expect(try found["ratio"].double() == after / before && found["tokens"].int() > 10)
            #expect(before != after || format == "bf16")
        }
        // The page, of a conversion that is there: nothing is written again.
        let target = folder.path + "/int4"
        let time = {
            try FileManager.default.attributesOfItem(atPath: target + "/config.json")[.modificationDate] as? Date
        }
        let written = try time()
        let arguments = ["convert", Self.minnow, target, "--to", "int4", "--eval", text, "--device", "cpu"]
        let again = try Program.run(arguments)
        #expect(
            again.status == 0 && again.errors.contains("\(target): this conversion was there, finished"), "\(again)")
        #expect(try time() == written)
        let pages = try [Self.minnow, target].map {
            try Program.run(["perplexity", "--device", "cpu", "--model", $0, "--text", text]).lines[0]
        }
        let lines = again.lines.suffix(4).map { $0 }
        #expect(lines[0] == "\(pages[0]) of \(Self.minnow)", "\(again.output)")
        #expect(lines[1] == pages[1].replacing("perplexity", with: "          ") + " of \(target)", "\(again.output)")
        #expect(lines[2].hasPrefix("change      ") && lines[3].hasPrefix("tokens      "), "\(again.output)")
        // Without --eval, and of another format, it is in the way.
        let plain = try Program.run(["convert", Self.minnow, target, "--to", "int4"])
        #expect(plain.status == 1 && plain.errors.contains("found this conversion, finished"), "\(plain)")
        let other = try Program.run(["convert", Self.minnow, target, "--to", "int8", "--eval", text, "--device", "cpu"])
        #expect(other.status == 1 && other.errors.contains("--force"), "\(other)")
    }

    /// The built-in device, and a conversion that was stopped.
    @Test func theDeviceMeasuresToo() throws {
        let folder = try TemporaryFolder()
        let text = try folder.write("story.txt", Self.story)
        let target = folder.path + "/out"
        let stopped = try Program.start(
            [
                "-c", "ulimit -f 1000; exec \"$0\" \"$@\"", Program.url.path, "convert", Self.minnow, target, "--to",
                "bf16",
            ], program: URL(fileURLWithPath: "/bin/bash")
        ).finish()
        #expect(stopped.status == 1)
        let result = try Program.run(["convert", Self.minnow, target, "--to", "bf16", "--eval", text, "--json"])
        #expect(result.status == 0, "\(result)")
        let found = try JSONField(parsing: Array(result.output.utf8), name: "report")["perplexity"]
        #expect(try abs(found["target"].double() / perplexity(of: target, text) - 1) < 1e-3)
        #expect(try abs(found["source"].double() / perplexity(of: Self.minnow, text) - 1) < 1e-3)
    }
}
