import Foundation
import Terminal
import Testing
import Text

@testable import fathom

@Suite struct ReasoningSplitterTests {
    /// The answer's and the reasoning's text, however the input is cut.
    private func split(_ text: String, isOpen: Bool = false, every step: Int) -> (reasoning: String, answer: String) {
        var splitter = ReasoningSplitter(isOpen: isOpen)
        var parts: [ReasoningSplitter.Part] = []
        var rest = Substring(text)
        while !rest.isEmpty {
            parts += splitter.feed(String(rest.prefix(step)))
            rest = rest.dropFirst(step)
        }
        parts += splitter.finish()
        var result = (reasoning: "", answer: "")
        for part in parts {
            switch part {
            case .reasoning(let text): result.reasoning += text
            case .answer(let text): result.answer += text
            }
        }
        return result
    }

    @Test(arguments: [1, 2, 3, 7, 100])
    func marksMayComeInPieces(step: Int) {
        #expect(split("<think>a < b</ think</think>\n\nYes.", every: step) == ("a < b</ think", "Yes."))
        #expect(split(" \n<think>x", every: step) == ("x", ""))
        #expect(split("<think>x</thin", every: step) == ("x</thin", ""))
        #expect(split("Say <think> to think.</think>", every: step) == ("", "Say <think> to think.</think>"))
        #expect(split("<thin air", every: step) == ("", "<thin air"))
        #expect(split("<thin", every: step) == ("", "<thin"))
        #expect(split("why\n</think> So.", isOpen: true, every: step) == ("why\n", "So."))
        #expect(split("  plain\n  text\n", every: step) == ("", "plain\n  text\n"))
        #expect(split("<think></think>漢字", every: step) == ("", "漢字"))
    }
}

@Suite struct SlashCommandTests {
    @Test func reading() {
        #expect(SlashCommand.read("hello /help") == .message("hello /help"))
        #expect(SlashCommand.read("//help me") == .message("/help me"))
        #expect(SlashCommand.read("/save  my chat.json ") == .command(.save, argument: "my chat.json"))
        #expect(SlashCommand.read("/SYSTEM one\ntwo") == .command(.system, argument: "one\ntwo"))
        #expect(SlashCommand.read("/quit") == .command(.exit, argument: ""))
        #expect(SlashCommand.read("/sav x") == .unknown("/sav", suggestion: .save))
        #expect(SlashCommand.read("/laod x") == .unknown("/laod", suggestion: .load))
        #expect(SlashCommand.read("/bananas") == .unknown("/bananas", suggestion: nil))
        #expect(SlashCommand.read("/") == .unknown("/", suggestion: nil))
    }

    @Test func distance() {
        #expect(editDistance("kitten", "sitting") == 3)
        #expect(editDistance("", "abc") == 3)
        #expect(editDistance("same", "same") == 0)
    }

    @Test func completion() {
        #expect(SlashCommand.complete("/s")?.candidates.map(\.label) == ["/system", "/save", "/stats"])
        #expect(SlashCommand.complete("/ex")?.candidates.map(\.text) == ["/exit"])
        #expect(SlashCommand.complete("hello") == nil)
        #expect(SlashCommand.complete("/system a") == nil)
        #expect(SlashCommand.complete("/load /et")?.candidates.contains { $0.text == "etc/" } == true)
    }

    @Test func theHelpFitsEightyColumns() {
        for line in SlashCommand.helpLines { #expect(line.count < 80, "\(line)") }
    }
}

@Suite struct ConversationTests {
    private func conversation() -> Conversation {
        var conversation = Conversation(system: "Be kind.")
        for number in 1...3 {
            conversation.append(.user, "question \(number)")
            conversation.append(.assistant, "answer \(number)\n\"漢字\" \u{1}")
        }
        return conversation
    }

    @Test func theOldestTurnsGoFirstAndStayInTheFile() throws {
        var conversation = conversation()
        #expect(conversation.dropOldestTurn() == 2)
        #expect(conversation.sent.map(\.content).first == "Be kind.")
        #expect(conversation.sent.count == 5 && conversation.turns.count == 6)
        #expect(conversation.dropOldestTurn() == 2)
        #expect(conversation.dropOldestTurn() == 0)
        #expect(conversation.sent.count == 3)
        conversation.clear()
        #expect(conversation.sent.count == 1)
    }

    @Test func savedAndLoadedAgainItIsTheSame() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/chat.json"
        try ConversationFile.save(conversation(), model: "Minnow", to: path)
        #expect(try ConversationFile.load(from: path) == conversation())
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["chat.json"])
    }

    @Test(arguments: [
        (
            "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"bot\", \"content\": \"b\"}]}",
            "messages[1].role: expected \"user\" or \"assistant\", found string \"bot\""
        ),
        ("{\"messages\": [{\"role\": \"user\"}]}", "messages[0].content: expected a string, found no such key"),
        ("{\"messages\": {}}", "messages: expected an array"),
        ("{}", "messages: expected an array, found no such key"),
        ("{\"format\": \"other\", \"messages\": []}", "format: expected \"fathom-chat\""),
        ("{\"version\": 2, \"messages\": []}", "version: expected 1"),
        ("{\"system\": 5, \"messages\": []}", "system: expected a string"),
        ("[1, 2", "expected"),
        ("", "expected"),
    ])
    func aDamagedFileIsNamedWithItsField(content: String, message: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("chat.json", content)
        #expect { try ConversationFile.load(from: path) } throws: {
            "\($0)".contains("chat.json") && "\($0)".contains(message)
        }
    }

    @Test func aSystemMessageMayComeFirstAsInOtherPrograms() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "chat.json",
            "{\"messages\": [{\"role\": \"system\", \"content\": \"s\"}, {\"role\": \"user\", \"content\": \"u\"}]}")
        let loaded = try ConversationFile.load(from: path)
        #expect(loaded.system == "s" && loaded.turns == [Message(role: .user, content: "u")])
    }
}

@Suite struct AtomicFileTests {
    @Test func linksAndPermissionsStay() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("real.json", "old")
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: file)
        let link = folder.path + "/link.json"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
        try AtomicFile.write("new", to: link)
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "new")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == file)
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o640)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 2)
    }

    @Test func whatCannotBeWrittenIsNamed() throws {
        let folder = try TemporaryFolder()
        for (path, message) in [
            (folder.path, "found a folder"), ("/dev/null", "found a device"),
            ("/proc/x/chat.json", "nothing was saved"),
            (folder.path + "/missing/chat.json", "no such file or folder"),
        ] {
            #expect { try AtomicFile.write("new", to: path) } throws: {
                "\($0)".contains(path) && "\($0)".contains(message)
            }
        }
    }
}
