import FixtureSupport
import Foundation
import Testing

/// What `fathom --help` says of exit codes holds for every command.
@Suite(.serialized) struct ExitCodeTests {
    /// The built-in model's own files.
    private static let minnow = Program.fixtures.appendingPathComponent("../../Sources/Minnow/checkpoint").path

    @Test(arguments: [
        ["chat", "--device", "cpu"], ["generate", "--device", "cpu", "--max-new-tokens", "1", "Hello"],
        ["tokenize", "Hello"], ["logits", "--device", "cpu", "--tokens", "1,2", "--out", "/dev/null"], ["devices"],
        ["selftest", "argmax"],
        ["bench", "--device", "cpu", "--prompt", "2", "--generate", "1", "--repeats", "1"],
        ["inspect", minnow], ["verify", minnow],
    ])
    func zeroWhenDone(arguments: [String]) throws {
        let result = try Program.run(arguments)
        #expect(result.status == 0, "\(result)")
        #expect(try Program.run([arguments[0], "--help"]).status == 0)
    }

    @Test(arguments: [
        ["chat", "--context", "-1"], ["chat", "--temperature", "-1"], ["generate", "--top-p", "2", "x"],
        ["generate", "--no-such-flag"], ["generate", "one", "two"], ["tokenize", "--jsonl", "x"],
        ["tokenize", "--skip-specials", "x"], ["logits", "--out", "/dev/null"], ["logits", "--tokens", "1"],
        ["logits", "--tokens", "1", "--out", "/dev/null", "--chunk", "-1"],
        ["logits", "--tokens", "1", "--out", "/dev/null", "--check", "--device", "CPU"],
        ["logits", "--tokens", "99999999999", "--out", "/dev/null"], ["devices", "extra"],
        ["selftest", "no_such_kernel"], ["selftest", "--seed", "-1"],
        ["selftest", "--case", "argmax"], ["selftest", "--case", "none=x"], ["selftest", "--isa"],
        ["selftest", "--compile-only", "--isa", "--json"], ["selftest", "--device", "cpu"],
        ["bench", "--repeats", "-1"], ["bench", "--prompt", "0"], ["bench", "--context", "0"], ["no-such-command"],
        ["inspect"], ["inspect", ""], ["verify"], ["verify", ""], ["verify", "a", "b"],
        ["verify", ".", "--structure", "--checksums", "sums"],
    ])
    func sixtyFourForWrongUsage(arguments: [String]) throws {
        let result = try Program.run(arguments)
        #expect(result.status == 64 && result.output.isEmpty, "\(result)")
        #expect(result.errors.hasPrefix("Error: ") && result.errors.contains("Usage: fathom"), "\(result.errors)")
    }

    @Test(arguments: [
        ["chat", "--device", "cpu", "--model", "/nowhere"], ["generate", "--file", "/nowhere"],
        ["generate", "--device", "cpu", "--prompt-tokens", "1,-1"], ["tokenize", "--decode", "999999"],
        ["logits", "--device", "cpu", "--tokens", "-1", "--out", "/dev/null"],
        ["logits", "--device", "cpu", "--tokens", "1", "--out", "/nowhere/x"],
        ["bench", "--device", "cpu", "--context", "2"],
        ["inspect", "/nowhere"], ["verify", "/nowhere"], ["verify", minnow, "--checksums", "/nowhere"],
    ])
    func oneForAFailure(arguments: [String]) throws {
        let result = try Program.run(arguments)
        #expect(result.status == 1 && result.output.isEmpty, "\(result)")
        #expect(result.errors.hasPrefix("Error: ") && !result.errors.contains("Usage"), "\(result.errors)")
    }

    /// As every program in a pipeline: without a word, by the signal, even where the parent ignores it.
    @Test(arguments: [
        ["generate", "--device", "cpu", "Tell me a story about a fox."], ["selftest", "argmax"], ["devices"],
        ["tokenize", "Hello"], ["generate", "--help"],
    ])
    func aReaderThatGoesAwayEndsItQuietly(arguments: [String]) throws {
        for script in ["{ sleep 0.1; \"$0\" \"$@\"; } | true", "trap '' PIPE; { sleep 0.1; \"$0\" \"$@\"; } | true"] {
            let result = try Program.start(
                ["-c", script + "; echo ${PIPESTATUS[0]}", Program.url.path] + arguments,
                program: URL(fileURLWithPath: "/bin/bash")
            ).finish()
            #expect(result.output == "141\n" && !result.errors.contains("Error"), "\(result)")
        }
    }

    @Test func aReaderThatHasEnoughEndsAnAnswer() throws {
        let script =
            "\"$0\" generate --device cpu 'Tell me a story about a fox.' | head -c1; echo \" ${PIPESTATUS[*]}\""
        let result = try Program.start(
            ["-c", script, Program.url.path], program: URL(fileURLWithPath: "/bin/bash")
        ).finish()
        #expect(result.errors.isEmpty && result.output.dropFirst() == " 141 0\n", "\(result)")
    }

    /// Nothing is written to, or read from, whatever file is opened in a closed stream's place.
    @Test(arguments: ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
    func aClosedStreamsPlaceStaysFree(closing: String) throws {
        let folder = try TemporaryFolder()
        let out = folder.path + "/out.safetensors"
        let script =
            "\"$0\" logits --device cpu --tokens 1 --out \"$1\" \(closing); echo $?; \"$0\" generate --device cpu --max-new-tokens 1 Hello \(closing); echo $?"
        let result = try Program.start(
            ["-c", script, Program.url.path, out], program: URL(fileURLWithPath: "/bin/bash")
        ).finish()
        // Without a place for the answer, generate fails.
        #expect(result.lines.first == "0" && result.lines.last == (closing.contains("1>&-") ? "1" : "0"), "\(result)")
        #expect(try SafetensorsReader(path: out).names == ["logits"])
    }

    @Test func aFullDiskIsAFailure() throws {
        for arguments in [["devices"], ["tokenize", "Hello"], ["generate", "--device", "cpu", "Hello"]] {
            let result = try Program.start(
                ["-c", "\"$0\" \"$@\" > /dev/full", Program.url.path] + arguments,
                program: URL(fileURLWithPath: "/bin/bash")
            ).finish()
            #expect(result.status == 1 && result.errors.contains("standard output: write: No space left"), "\(result)")
        }
    }
}
