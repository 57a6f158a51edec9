import Foundation
import Engine
import Glibc
import Terminal
import Testing
import Text

@testable import fathom

/// A model that says what it is told to. A token is a word.
final class ScriptedBackend: ChatBackend, @unchecked Sendable {
    let modelName = "Script"
    let deviceName = "paper"
    var contextLength = 1000
    var beginsInReasoning = false
    /// Why an answer that was not stopped ended.
    var finishReason = FinishReason.stop
    /// The answer to a conversation, in pieces; without one it repeats the last message.
    var script: ([Message], GenerationOptions) throws -> [String] = { messages, _ in [messages.last?.content ?? ""] }
    let goOn = DispatchSemaphore(value: 0)
    private(set) var seen: [[Message]] = []

    func promptTokenCount(_ messages: [Message]) throws -> Int {
        messages.reduce(0) { $0 + $1.content.split(separator: " ").count }
    }

    func answer(
        _ messages: [Message], options: GenerationOptions, shouldStop: () -> Bool, onEvent: (GenerationEvent) -> Void
    ) throws -> (text: String, summary: GenerationSummary) {
        seen.append(messages)
        var text = ""
        var summary = GenerationSummary(finishReason: finishReason)
        summary.promptTokenCount = try promptTokenCount(messages)
        pieces: for piece in try script(messages, options) {
            if shouldStop() {
                summary.finishReason = .interrupted
                break
            }
            // A prompt that takes until the test goes on or stops it.
            if piece == "⏳" {
                onEvent(.prefilled(256, of: 700))
                while !shouldStop() {
                    if goOn.wait(timeout: .now() + 0.001) == .success { continue pieces }
                }
                summary.finishReason = .interrupted
                break
            }
            onEvent(.text(piece))
            text += piece
            summary.generatedTokenCount += 1
        }
        return (text, summary)
    }
}

/// A chat without a terminal: lines in, what it wrote out.
struct PipedChat {
    var output = ""
    var errors = ""
    var failure: (any Error)?
    var conversation = Conversation()

    init(
        _ backend: ScriptedBackend, _ input: String, _ settings: ChatLoop.Settings = ChatLoop.Settings()
    ) throws {
        let folder = try TemporaryFolder()
        let paths = [try folder.write("in", input), try folder.write("out", ""), try folder.write("err", "")]
        let descriptors = [open(paths[0], O_RDONLY), open(paths[1], O_WRONLY), open(paths[2], O_WRONLY)]
        defer { for descriptor in descriptors { close(descriptor) } }
        let surroundings = Surroundings(
            inputIsTerminal: false, outputIsTerminal: false, errorIsTerminal: false, allowsEscapeCodes: true)
        let console = try ChatConsole(
            input: descriptors[0], output: Output(descriptor: descriptors[1]),
            errors: Output(descriptor: descriptors[2]),
            surroundings: surroundings, history: nil)
        var loop = ChatLoop(backend: backend, console: console, settings: settings)
        do { try loop.run() } catch { failure = error }
        conversation = loop.conversation
        output = try String(contentsOfFile: paths[1], encoding: .utf8)
        errors = try String(contentsOfFile: paths[2], encoding: .utf8)
    }

    var failureText: String { failure.map { "\($0)" } ?? "" }
}

@Suite(.serialized) struct ChatLoopTests {
    @Test func everyLineIsATurn() throws {
        let backend = ScriptedBackend()
        let chat = try PipedChat(backend, "one\n\n   \n//two\r\nthree")
        #expect(chat.output == "one\n/two\nthree\n" && chat.errors.isEmpty && chat.failure == nil)
        #expect(backend.seen.map(\.count) == [1, 3, 5])
        #expect(chat.conversation.turns.map(\.role) == [.user, .assistant, .user, .assistant, .user, .assistant])
    }

    @Test func aVeryLongLineIsOneMessage() throws {
        let backend = ScriptedBackend()
        let chat = try PipedChat(backend, String(repeating: "x", count: 3_000_000) + "\n")
        #expect(chat.output.utf8.count == 3_000_001)
    }

    @Test func inAPipeTheFirstFailureEndsTheChat() throws {
        let chat = try PipedChat(ScriptedBackend(), "one\n/sav\ntwo\n")
        #expect(chat.output == "one\n" && chat.failureText.contains("did you mean /save?"))
        let backend = ScriptedBackend()
        backend.script = { _, _ in throw CommandError("the device is gone") }
        let failed = try PipedChat(backend, "one\ntwo\n")
        #expect(failed.failureText == "the device is gone" && backend.seen.count == 1)
        #expect(failed.conversation.turns.isEmpty)
    }

    @Test func aConversationBeyondTheContextNamesBothNumbers() throws {
        let backend = ScriptedBackend()
        backend.contextLength = 6
        let chat = try PipedChat(backend, "a b c\nd\n")
        #expect(chat.output == "a b c\n")
        #expect(chat.failureText.contains("takes 7 tokens, but the context holds 6"))
        #expect(chat.conversation.turns.count == 2)
    }

    @Test func theOldestTurnsGoAndItIsSaid() throws {
        let backend = ScriptedBackend()
        backend.contextLength = 12
        let chat = try PipedChat(
            backend, "a b c\nd e\nf\n/stats\n" + String(repeating: "w ", count: 12) + "\n",
            ChatLoop.Settings(dropsOldest: true))
        #expect(chat.output == "a b c\nd e\nf\n")
        #expect(
            chat.errors.contains("The context holds 12 tokens: the 2 oldest messages (6 tokens) are no longer sent."))
        #expect(backend.seen[2].map(\.content) == ["d e", "d e", "f"])
        #expect(chat.conversation.turns.count == 6)
        #expect(chat.failureText.contains("the message alone takes 12 tokens, but the context holds 12"))
    }

    @Test func regenerationDrawsAnew() throws {
        let backend = ScriptedBackend()
        backend.script = { _, options in ["seed \(options.sampling.seed)"] }
        var settings = ChatLoop.Settings()
        settings.options.sampling.temperature = 1
        settings.options.sampling.seed = 7
        let chat = try PipedChat(backend, "a\n/regen\n/regen\nb\n", settings)
        #expect(chat.output == "seed 7\nseed 8\nseed 9\nseed 7\n")
        #expect(chat.conversation.turns.map(\.content) == ["a", "seed 9", "b", "seed 7"])
        #expect(try PipedChat(backend, "/regen\n").failureText.contains("there is no message"))
    }

    @Test func systemMessageAndClear() throws {
        let backend = ScriptedBackend()
        let chat = try PipedChat(backend, "/system Be brief.\na\n/clear\nb\n/system\n/system off\nc\n")
        #expect(backend.seen.map { $0.map(\.content) } == [["Be brief.", "a"], ["Be brief.", "b"], ["b", "b", "c"]])
        #expect(chat.errors.contains("fathom: System message: Be brief."))
        #expect(chat.output == "a\nb\nc\n")
    }

    @Test func savedConversationsGoOn() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/my chat.json"
        _ = try PipedChat(ScriptedBackend(), "/system S\nhello\n/save \(path)\nmore\n/save\n")
        let backend = ScriptedBackend()
        let chat = try PipedChat(backend, "/load \(path)\nagain\n")
        #expect(backend.seen.map { $0.map(\.content) } == [["S", "hello", "hello", "more", "more", "again"]])
        #expect(chat.errors.contains("Loaded 4 messages"))
        #expect(try PipedChat(backend, "/save\n").failureText.contains("/save FILE"))
        #expect(try PipedChat(backend, "/load /nowhere\n").failureText.contains("/nowhere: expected a file"))
    }

    @Test func reasoningStaysOutOfAPipe() throws {
        let backend = ScriptedBackend()
        backend.script = { _, _ in ["<thi", "nk>why", " so</th", "ink>\n\n", "Yes", ".\n"] }
        let hidden = try PipedChat(backend, "a\n")
        #expect(hidden.output == "Yes.\n" && hidden.errors.isEmpty)
        #expect(hidden.conversation.turns[1].content == "<think>why so</think>\n\nYes.\n")
        let shown = try PipedChat(backend, "a\n", ChatLoop.Settings(showsReasoning: true))
        #expect(shown.output == "Yes.\n" && shown.errors == "<think>\nwhy so\n</think>\n")
        // A template that opens the reasoning leaves the mark out of the answer; the conversation has it.
        backend.beginsInReasoning = true
        backend.script = { _, _ in ["why</think>Yes"] }
        let open = try PipedChat(backend, "a\n")
        #expect(open.output == "Yes\n" && open.conversation.turns[1].content == "<think>\nwhy</think>Yes")
        backend.script = { _, _ in ["cut off"] }
        #expect(try PipedChat(backend, "a\n").conversation.turns[1].content == "<think>\ncut off\n</think>\n")
    }

    @Test func anAnswerThatEndsEarlySaysWhy() throws {
        let backend = ScriptedBackend()
        #expect(try PipedChat(backend, "/stats\n").errors == "fathom: There is no answer yet.\n")
        backend.finishReason = .contextFull
        #expect(try PipedChat(backend, "a\n").errors.contains("is full: /clear, or start with a larger --context or"))
        // What is on already is no advice.
        let dropping = try PipedChat(backend, "a\n", ChatLoop.Settings(dropsOldest: true))
        #expect(dropping.errors.contains("is full: the next message drops the oldest; a larger --context"))
        backend.finishReason = .length
        #expect(try PipedChat(backend, "a\n").errors.contains("ends at --max-new-tokens 1."))
    }

    @Test func spaceAtAMessagesEndIsNoPartOfIt() throws {
        let backend = ScriptedBackend()
        _ = try PipedChat(backend, "  a b \t\n")
        #expect(backend.seen == [[Message(role: .user, content: "  a b")]])
    }

    @Test func commandsTakeWhatTheyTake() throws {
        let backend = ScriptedBackend()
        let cleared = try PipedChat(backend, "a\n/clear all\n")
        #expect(cleared.failureText == "/clear: expected nothing behind it, found \"all\"")
        #expect(cleared.conversation.turns.count == 2)
        let system = try PipedChat(backend, "/system off\n/system S\n/system off\n")
        #expect(
            system.errors
                == "fathom: There is no system message.\nfathom: The system message is set.\nfathom: The system message is removed.\n"
        )
    }

    @Test func onlyConversationsAreReplacedOrRead() throws {
        let folder = try TemporaryFolder()
        let notes = try folder.write("notes.txt", "not to be lost")
        let saved = try PipedChat(ScriptedBackend(), "a\n/save \(notes)\n")
        #expect(saved.failureText.contains("notes.txt: expected a new file or a saved conversation"))
        #expect(try String(contentsOfFile: notes, encoding: .utf8) == "not to be lost")
        #expect(
            try PipedChat(ScriptedBackend(), "/load \(notes)\n").failureText.contains("/load takes what /save writes"))
        // An empty file has nothing to lose, and a conversation may go on under its name.
        let empty = try folder.write("empty.json", "")
        #expect(try PipedChat(ScriptedBackend(), "a\n/save \(empty)\n").failure == nil)
        #expect(try PipedChat(ScriptedBackend(), "b\n/save \(empty)\n").failure == nil)
    }
}
