import Foundation
import Testing

@Suite(.serialized) struct OptionTests {
    @Test(arguments: [
        ("--temperature", "-1", "--temperature: expected 0 (the likeliest token) or more, found -1.0"),
        ("--top-k", "-2", "--top-k: expected 0 (off) or more, found -2"),
        ("--top-p", "1.5", "--top-p: expected a number from 0 to 1 (off), found 1.5"),
        ("--min-p", "-0.5", "--min-p: expected a number from 0 (off) to 1, found -0.5"),
        ("--repetition-penalty", "0", "--repetition-penalty: expected a number above 0 (1 is off), found 0.0"),
        ("--max-new-tokens", "-3", "--max-new-tokens: expected 1 or more, found -3"),
        ("--context", "-1", "--context: expected 1 or more, found -1"),
        ("--batch", "0", "--batch: expected 1 or more, found 0"),
        ("--stop", "", "--stop: expected a text of at least one character"),
        ("--seed", "-1", "expected a whole number from 0 to 18446744073709551615, found -1"),
        ("--prompt-tokens", "1,,2", "number 2 is \"\""),
        ("--model", "", "--model: expected a folder, found an empty text"),
        ("--top-k", "many", "The value 'many' is invalid for '--top-k"),
    ])
    func aWrongValueIsNamedWithItsRange(flag: String, value: String, message: String) throws {
        let prompt = flag == "--prompt-tokens" ? [] : ["prompt"]
        let result = try Program.run(["generate", flag, value] + prompt)
        #expect(result.status == 64 && result.output.isEmpty)
        #expect(result.errors.contains(message), "\(result.errors)")
    }

    /// The largest numbers there are: an answer, or an error that names the limit; no sum of them overflows.
    @Test(arguments: [
        ["--max-new-tokens"], ["--top-k"], ["--batch"], ["--seed"], ["--temperature"], ["--repetition-penalty"],
    ])
    func theLargestNumberIsANumberToo(flags: [String]) throws {
        let folder = try TemporaryFolder()
        let prompts = try folder.write("prompts.txt", "Hello\nHello\n")
        for prompt in [["Hello"], ["--input-file", prompts]] {
            let result = try Program.run(
                ["generate", "--device", "cpu", "--context", "40"] + flags + ["9223372036854775807"] + prompt)
            #expect(result.status == 0 && !result.output.isEmpty, "\(result)")
        }
    }

    @Test func theLargestContextIsRefusedWithTheModelsOwn() throws {
        for command in [["generate", "x"], ["logits", "--tokens", "1", "--out", "/dev/null"], ["bench"]] {
            let result = try Program.run(command + ["--device", "cpu", "--context", "9223372036854775807"])
            #expect(result.status == 1 && result.errors.contains("expected at most"), "\(result)")
        }
        let chunk = try Program.run([
            "logits", "--device", "cpu", "--tokens", "1,2", "--out", "/dev/null", "--chunk", "9223372036854775807",
        ])
        #expect(chunk.status == 0, "\(chunk)")
    }

    @Test(arguments: [["a", "--file", "b"], ["--input-file", "a", "--prompt-tokens", "1"]])
    func onePromptAtATime(arguments: [String]) throws {
        let result = try Program.run(["generate"] + arguments)
        #expect(result.status == 64 && result.errors.contains("expected one source of the prompt"))
    }

    @Test(arguments: [["--thinking"], ["--template", "deepseek-v3"], ["--system", "S"]])
    func whatTheTemplateDoesNeedsOne(flags: [String]) throws {
        for without in [["--raw", "a"], ["--prompt-tokens", "1"]] {
            let result = try Program.run(["generate"] + flags + without)
            #expect(result.status == 64 && result.errors.contains("\(flags[0]) needs a chat template"))
        }
    }

    @Test func aTemplateWithoutASwitchCannotThink() throws {
        for command in ["generate", "chat"] {
            let result = try Program.run([command, "--device", "cpu", "--thinking"], input: "a")
            #expect(result.status == 1 && result.errors.contains("--thinking: expected a model with the chat template"))
        }
    }

    @Test func theVersionIsTheCommit() throws {
        let result = try Program.run(["--version"])
        #expect(result.status == 0 && result.output.hasPrefix("fathom, ") && result.errors.isEmpty)
    }

    @Test func unreadableInputIsNamedBeforeAModelIsLoaded() throws {
        let missing = try Program.run(["generate", "--file", "/nowhere/prompt.txt"])
        #expect(missing.status == 1 && missing.errors.contains("/nowhere/prompt.txt: expected a file that can be read"))
        let folder = try TemporaryFolder()
        let empty = try folder.write("empty.txt", "")
        #expect(try Program.run(["generate", "--input-file", empty]).errors.contains("expected a prompt a line"))
        #expect(try Program.run(["generate", "--file", folder.path]).errors.contains("Is a directory"))
        let broken = try folder.write("broken.txt", Data([0x61, 0xFF, 0x62]))
        #expect(try Program.run(["generate", "--file", broken]).errors.contains("found byte 255 at offset 1"))
    }

    @Test func helpNamesEveryCommandAndExitCode() throws {
        let help = try Program.run(["--help"])
        #expect(help.status == 0)
        for word in ["generate", "tokenize", "logits", "devices", "bench", "Exit codes"] {
            #expect(help.output.contains(word))
        }
        #expect(try Program.run(["nonsense"]).status == 64)
    }
}
