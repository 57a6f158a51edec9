import Text

/// The input is a conversation. Its first byte selects a template and options. Then follow, each after a byte 0x1E, a
/// tokenizer_config.json (if bit 6 of the first byte is set) and messages, whose first letter s, u, a or t is the role.
/// No message becomes a control token, and no text is lost.
func fuzz(_ input: UnsafeRawBufferPointer) {
    guard let options = input.first else { return }
    let style = ChatTemplate.Style.allCases[Int(options & 3)]
    var parts = input.dropFirst().split(separator: 0x1E)[...]
    let config = options & 64 != 0 ? parts.popFirst() : nil
    let messages = parts.map { part in
        Message(role: role(part.first), content: String(decoding: part.dropFirst(), as: UTF8.self))
    }
    do throws(TextError) {
        let template = ChatTemplate(style, config: try config.map(read) ?? nil)
        func encode(_ messages: [Message]) throws(TextError) -> [Int32] {
            try template.encode(
                messages: messages, addGenerationPrompt: options & 4 != 0, thinking: options & 8 != 0,
                tokenizer: tokenizer)
        }
        let text = try template.render(messages, addGenerationPrompt: options & 4 != 0, thinking: options & 8 != 0)
        let ids = try encode(messages)
        let decoded = try tokenizer.decode(ids, skipSpecials: false)
        check(bytes(decoded) == bytes(text), "\(text) became \(decoded)")
        // The control tokens depend only on the roles.
        let silent = try encode(messages.map { Message(role: $0.role, content: "") })
        check(ids.filter(tokenizer.isAdded) == silent.filter(tokenizer.isAdded), "text became a control token")
        let parsed = try tokenizer.encode(text, specials: .parse)
        check(bytes(try tokenizer.decode(parsed, skipSpecials: false)) == bytes(text), "does not round-trip: \(text)")
    } catch {
        switch error {
        case .unsupportedRole: check(style == .v2 && messages.contains { $0.role == .tool }, error.description)
        case .file, .missingToken: check(config != nil, error.description)
        default: fatalError(error.description)
        }
    }
}

private func read(_ json: Slice<UnsafeRawBufferPointer>) throws(TextError) -> TokenizerConfig {
    let config = try TokenizerConfig(json: Array(json), name: "tokenizer_config.json")
    // No input contains the source of a published template.
    check((try? ChatTemplate.detect(tokenizerConfig: config, tokenizer: tokenizer)) == nil, "detected a template")
    _ = try config.bosID(in: tokenizer)
    _ = try config.stopIDs(in: tokenizer)
    return config
}

private func role(_ letter: UInt8?) -> Message.Role {
    switch letter {
    case UInt8(ascii: "s"): .system
    case UInt8(ascii: "u"): .user
    case UInt8(ascii: "a"): .assistant
    case UInt8(ascii: "t"): .tool
    default: Message.Role.allCases[Int(letter ?? 0) & 3]
    }
}

/// A tokenizer with V3's control tokens and patterns, and with merges that produce parts of the control tokens.
private let tokenizer: Tokenizer = {
    var vocabulary = [SmallTokenizer.byteTokens]
    var known = Set<String>()
    var merges: [String] = []
    let words = ["<｜", "｜>", "User", "Assistant", "begin▁of▁sentence", "</", "think>", "<think", " the", "日本", "😀"]
    for word in words {
        let letters = SmallTokenizer.letters(word)
        var made = letters[0]
        for letter in letters.dropFirst() {
            let left = made
            made += letter
            guard known.insert(made).inserted else { continue }
            vocabulary.append("\"\(made)\":\(vocabulary.count + 255)")
            merges.append("\"\(left) \(letter)\"")
        }
    }
    let controls = [
        "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<think>", "</think>",
        "<｜tool▁outputs▁begin｜>", "<｜tool▁outputs▁end｜>", "<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>",
    ]
    let added = controls.enumerated().map { "{\"id\":\(1000 + $0),\"content\":\"\($1)\",\"special\":\($0 < 4)}" }
    let json = #"""
        {"added_tokens": [\#(added.joined(separator: ","))], "decoder": {"type": "ByteLevel"},
         "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
           {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}"}, "behavior": "Isolated"},
           {"type": "Split", "pattern": {"Regex": "[一-龥぀-ゟ゠-ヿ]+"}, "behavior": "Isolated"},
           {"type": "Split", "behavior": "Isolated", "pattern": {"Regex":
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"}},
           {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]},
         "model": {"type": "BPE", "vocab": {\#(vocabulary.joined(separator: ","))},
                   "merges": [\#(merges.joined(separator: ","))]}}
        """#
    return try! Tokenizer(json: bytes(json), name: "tokenizer.json")
}()
