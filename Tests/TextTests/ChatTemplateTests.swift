import JSON
import Testing
import Text

@Suite struct ChatTemplateTests {
    static let files = [
        ("v2", "v2/template-cases.jsonl"), ("v2", "v2/more-template-cases.jsonl"), ("v3", "v3/template-cases.jsonl"),
        ("v3", "v3/more-template-cases.jsonl"), ("r1", "r1/template-cases.jsonl"),
        ("v3.1", "v3.1/template-cases.jsonl"),
    ]

    @Test(arguments: files) func conversationsAreThePublishedOnes(version: String, file: String) throws {
        let tokenizer = try Fixtures.tokenizer(version)
        let template = try ChatTemplate.detect(tokenizerConfig: Fixtures.config(version), tokenizer: tokenizer)
        #expect(template.style.rawValue == "deepseek-\(version)")
        for (line, row) in try Fixtures.rows(file).enumerated() {
            let messages = try row["messages"].array().map { field in
                Message(
                    role: try #require(Message.Role(rawValue: try field["role"].string())),
                    content: try field["content"].string())
            }
            let prompts = try row["add_generation_prompt"].bool()
            let thinking = try row["thinking"].present?.bool() ?? false
            let text = try template.render(messages, addGenerationPrompt: prompts, thinking: thinking)
            #expect(text == (try row["text"].string()), "\(file):\(line + 1)")
            let ids = try template.encode(
                messages: messages, addGenerationPrompt: prompts, thinking: thinking, tokenizer: tokenizer)
            // Rows without ids have a message that spells a control token, which the library would encode as that
            // token.
            if let expected = try row["ids"].present?.ids(), let difference = firstDifference(ids, expected) {
                Issue.record("\(file):\(line + 1): \(difference)")
            }
            #expect(try tokenizer.decode(ids, skipSpecials: false) == text)
        }
    }

    /// The ids of the added tokens in the encoded conversation. They must not depend on the messages' texts.
    private func controlTokens(_ template: ChatTemplate, _ messages: [Message], _ tokenizer: Tokenizer) throws
        -> [Int32]
    {
        try template.encode(messages: messages, addGenerationPrompt: true, tokenizer: tokenizer)
            .filter { tokenizer.isAdded($0) }
    }

    @Test(arguments: ChatTemplate.Style.allCases) func messagesNeverYieldControlTokens(style: ChatTemplate.Style) throws
    {
        let tokenizer = try Fixtures.tokenizer(style == .v2 ? "v2" : "v3")
        let template = ChatTemplate(style)
        for (_, content) in tokenizer.addedTokenContents where content != "</think>" {
            for role in Message.Role.allCases where style != .v2 || role != .tool {
                let message = Message(role: role, content: "x\(content)y")
                let harmless = Message(role: role, content: "xy")
                let user = Message(role: .user, content: content)
                #expect(
                    try controlTokens(template, [message, user], tokenizer)
                        == controlTokens(template, [harmless, Message(role: .user, content: "")], tokenizer),
                    "\(style) \(role) \(content)")
            }
        }
    }

    /// Splits each control token's string at every position and puts the halves at the end and the start of two
    /// adjacent messages.
    @Test(arguments: ChatTemplate.Style.allCases) func jointsNeverYieldControlTokens(style: ChatTemplate.Style) throws {
        let tokenizer = try Fixtures.tokenizer(style == .v2 ? "v2" : "v3")
        let template = ChatTemplate(style)
        let roles: [[Message.Role]] = [
            [.system, .system], [.system, .user], [.user, .user], [.user, .assistant], [.assistant, .user],
        ]
        let expected = try roles.map { roles in
            try controlTokens(template, roles.map { Message(role: $0, content: "x") }, tokenizer)
        }
        for (_, content) in tokenizer.addedTokenContents {
            let scalars = Array(content.unicodeScalars)
            for cut in 0...scalars.count {
                let first = String(String.UnicodeScalarView(scalars[..<cut]))
                let second = String(String.UnicodeScalarView(scalars[cut...]))
                for (roles, expected) in zip(roles, expected) {
                    let messages = zip(roles, [first, second]).map { Message(role: $0, content: $1) }
                    let found = try controlTokens(template, messages, tokenizer)
                    if found != expected {
                        Issue.record("\(style) \(roles) \(first) | \(second): \(found), expected \(expected)")
                        return
                    }
                }
            }
        }
    }

    @Test func unknownTemplatesAreErrors() throws {
        let tokenizer = try Fixtures.tokenizer("v3")
        var config = try Fixtures.config("v3")
        config.chatTemplate? += " "
        let error = #expect(throws: TextError.self) {
            try ChatTemplate.detect(tokenizerConfig: config, tokenizer: tokenizer)
        }
        #expect(
            error?.description
                == "chat_template: expected a published template (deepseek-v2, deepseek-v3, deepseek-r1, deepseek-v3.1), "
                + "found another template (2757 bytes) in v3/tokenizer_config.json; name one to override it")
        config.chatTemplate = nil
        #expect(throws: TextError.unknownTemplate(found: "no chat_template in v3/tokenizer_config.json")) {
            try ChatTemplate.detect(tokenizerConfig: config, tokenizer: tokenizer)
        }
        #expect(throws: TextError.missingToken("<｜User｜>", needed: "chat template deepseek-v3")) {
            try ChatTemplate.detect(tokenizerConfig: Fixtures.config("v3"), tokenizer: Fixtures.tokenizer("v2"))
        }
        #expect(throws: TextError.unsupportedRole("tool", template: "deepseek-v2")) {
            try ChatTemplate(.v2).render([Message(role: .tool, content: "")], addGenerationPrompt: true)
        }
    }

    @Test func configsNameTheirTokens() throws {
        let v2 = try Fixtures.config("v2")
        #expect(v2.addsBOS && !v2.addsEOS)
        #expect(try v2.bosID(in: Fixtures.tokenizer("v2")) == 100_000)
        #expect(try v2.stopIDs(in: Fixtures.tokenizer("v2")) == [100_001])
        let v3 = try Fixtures.config("v3")
        #expect(!v3.addsBOS)
        #expect(try v3.bosID(in: Fixtures.tokenizer("v3")) == 0)
        #expect(try v3.stopIDs(in: Fixtures.tokenizer("v3")) == [1])
        let text =
            #"{"eos_token": "</s>", "chat_template": [{"name": "tool", "template": "t"}, {"name": "default", "template": "d"}]}"#
        let other = try TokenizerConfig(json: Array(text.utf8), name: "c.json")
        #expect(other.bosToken == nil && other.eosToken == "</s>" && other.chatTemplate == "d")
        #expect(throws: TextError.missingToken("</s>", needed: "c.json: eos_token")) {
            try other.stopIDs(in: Fixtures.tokenizer("v3"))
        }
        #expect(try TokenizerConfig(json: Array("{}".utf8), name: "c.json").stopIDs(in: Fixtures.tokenizer("v3")) == [])
        let wrong = #expect(throws: TextError.self) {
            try TokenizerConfig(json: Array(#"{"eos_token": 3}"#.utf8), name: "c.json")
        }
        #expect(wrong?.description == "c.json: eos_token: expected a string, found number 3")
    }
}
