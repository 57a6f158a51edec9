import FixtureSupport
import Foundation
import Glibc
import Testing

/// Ctrl-C ends every command at once with 130, wherever it comes, and leaves no part of a file.
@Suite(.serialized) struct InterruptionTests {
    private static func tokens(_ count: Int) -> String { (0..<count).map { "\($0 % 512)" }.joined(separator: ",") }

    /// Work of many seconds each.
    private static func commands(_ out: String) throws -> [[String]] {
        let random = ["--model", try Oracle.v2LiteBF16.folder(), "--context", "2048"]
        return [
            ["generate", "--prompt-tokens", "1,2,3"] + random,
            ["bench", "--prompt", "512", "--generate", "512"] + random,
            ["logits", "--tokens", tokens(1600), "--all", "--chunk", "1", "--out", out] + random,
            ["logits", "--tokens", tokens(1600), "--out", out, "--check"] + random,
        ]
    }

    /// Before the arguments are read, while the model is loaded, in the midst of the work.
    @Test(arguments: [0, 0.01, 0.03, 0.1, 0.3, 1], [["--device", "cpu"], []])
    func atAnyMoment(seconds: Double, device: [String]) throws {
        let folder = try TemporaryFolder()
        for command in try Self.commands(folder.path + "/logits.safetensors")
        where device.isEmpty || !command.contains("--check") {
            let running = try Program.start(command + device)
            Thread.sleep(forTimeInterval: seconds)
            let start = ContinuousClock.now
            kill(running.process.processIdentifier, SIGINT)
            let result = running.finish()
            #expect(result.status == 130, "\(command) \(result)")
            // "At once", with room for a machine that does other things too.
            #expect(ContinuousClock.now - start < .seconds(5), "\(command)")
            #expect(!result.errors.contains("Error"), "\(command) \(result.errors)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    /// A pipe that nobody empties holds the write up, and not Ctrl-C.
    @Test func whileTheResultIsWritten() throws {
        let folder = try TemporaryFolder()
        let pipe = folder.path + "/pipe"
        try #require(mkfifo(pipe, 0o600) == 0)
        // Both ends, so that this does not wait for a program that fails.
        let reader = open(pipe, O_RDWR)
        defer { close(reader) }
        let running = try Program.start(
            [
                "logits", "--device", "cpu", "--tokens", Self.tokens(200), "--out", pipe, "--model",
                Oracle.v2LiteBF16.folder(),
            ])
        var written = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
        #expect(poll(&written, 1, 60_000) == 1)
        kill(running.process.processIdentifier, SIGINT)
        #expect(running.finish().status == 130)
    }

    @Test func aSelfTestToo() throws {
        let running = try Program.start(["selftest"])
        _ = try #require(try running.output.read(upToCount: 1))
        kill(running.process.processIdentifier, SIGINT)
        #expect(running.finish().status == 130)
    }

    /// What was answered before stays on stdout, whole lines and all.
    @Test func aBatchEndsWithWhatItHas() throws {
        let folder = try TemporaryFolder()
        let prompts = try folder.write("prompts.txt", String(repeating: "Tell me a story about a fox.\n", count: 500))
        let running = try Program.start([
            "generate", "--device", "cpu", "--batch", "2", "--json", "--input-file", prompts,
        ])
        let start = String(decoding: try #require(try running.output.read(upToCount: 1)), as: UTF8.self)
        kill(running.process.processIdentifier, SIGINT)
        let result = running.finish(after: start)
        #expect(result.status == 130 && result.output.hasSuffix("}\n"), "\(result.errors)")
    }
}
