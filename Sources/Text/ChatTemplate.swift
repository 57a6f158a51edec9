/// One turn of a conversation.
public struct Message: Equatable, Sendable {
    public enum Role: String, Sendable, CaseIterable {
        case system, user, assistant, tool
    }

    public var role: Role
    public var content: String

    public init(role: Role, content: String) {
        self.role = role
        self.content = content
    }
}

/// Formats a conversation as the text, or the token ids, that a model was trained on.
///
/// Implements the published templates (Jinja programs) in Swift. Only the template produces control tokens: message
/// contents are encoded as plain text, even where a message, or two adjacent ones together, spell a control token.
public struct ChatTemplate: Equatable, Sendable {
    /// The published templates.
    public enum Style: String, Sendable, CaseIterable {
        /// "User: … Assistant: …", with the roles as plain text.
        case v2 = "deepseek-v2"
        /// Roles as control tokens, system messages first.
        case v3 = "deepseek-v3"
        /// As V3; the reply starts with "<think>".
        case r1 = "deepseek-r1"
        /// As V3; the reply starts with "<think>", or with "</think>" if thinking is off.
        case v31 = "deepseek-v3.1"

        /// Whether a reply's reasoning can be switched on and off.
        public var hasThinkingSwitch: Bool { self == .v31 }
    }

    public let style: Style
    private let bos: String
    private let eos: String

    /// Uses `style`, regardless of the template in `config`. Takes the begin and end tokens from `config` if it names
    /// them.
    public init(_ style: Style, config: TokenizerConfig? = nil) {
        self.style = style
        bos = config?.bosToken ?? Self.begin
        // V3's template writes its end token itself.
        eos = style == .v2 ? config?.eosToken ?? Self.end : Self.end
    }

    /// Returns the conversation as text, with control tokens as their content.
    ///
    /// `thinking` matters only for styles with `hasThinkingSwitch`. Throws if the template does not support a message's
    /// role.
    public func render(
        _ messages: [Message], addGenerationPrompt: Bool, thinking: Bool = false
    ) throws(TextError) -> String {
        try pieces(messages, addGenerationPrompt, thinking).map(\.content).joined()
    }

    /// Returns the conversation as token ids. Text between two control tokens is encoded in one piece, as plain text.
    ///
    /// Throws if the template does not support a message's role, or `tokenizer` lacks one of its control tokens.
    public func encode(
        messages: [Message], addGenerationPrompt: Bool, thinking: Bool = false, tokenizer: Tokenizer
    ) throws(TextError) -> [Int32] {
        var ids: [Int32] = []
        var text = ""
        for piece in try pieces(messages, addGenerationPrompt, thinking) {
            switch piece {
            case .text(let part): text += part
            case .control(let token):
                ids += try tokenizer.encode(text, specials: .asText)
                text = ""
                guard let id = tokenizer.id(of: token) else {
                    throw .missingToken(token, needed: "chat template \(style.rawValue)")
                }
                ids.append(id)
            }
        }
        return try ids + tokenizer.encode(text, specials: .asText)
    }

    // MARK: Layout

    enum Piece: Equatable {
        case control(String)
        case text(String)

        var content: String {
            switch self {
            case .control(let content), .text(let content): return content
            }
        }
    }

    private static let begin = "<｜begin▁of▁sentence｜>"
    private static let end = "<｜end▁of▁sentence｜>"
    private static let user = Piece.control("<｜User｜>")
    private static let assistant = Piece.control("<｜Assistant｜>")
    private static let think = Piece.control("<think>")
    private static let endThink = Piece.control("</think>")
    private static let outputsBegin = Piece.control("<｜tool▁outputs▁begin｜>")
    private static let outputsEnd = Piece.control("<｜tool▁outputs▁end｜>")
    private static let outputBegin = Piece.control("<｜tool▁output▁begin｜>")
    private static let outputEnd = Piece.control("<｜tool▁output▁end｜>")

    /// The control tokens that a conversation without tools uses.
    var controlTokens: [String] {
        let pieces: [Piece]
        switch style {
        case .v2: pieces = []
        case .v3: pieces = [Self.user, Self.assistant]
        case .r1: pieces = [Self.user, Self.assistant, Self.think]
        case .v31: pieces = [Self.user, Self.assistant, Self.think, Self.endThink]
        }
        return [bos, eos] + pieces.map(\.content)
    }

    private func pieces(
        _ messages: [Message], _ addGenerationPrompt: Bool, _ thinking: Bool
    ) throws(TextError) -> [Piece] {
        switch style {
        case .v2: return try v2(messages, addGenerationPrompt)
        case .v3, .r1: return v3(messages, addGenerationPrompt)
        case .v31: return v31(messages, addGenerationPrompt, thinking)
        }
    }

    private func v2(_ messages: [Message], _ addGenerationPrompt: Bool) throws(TextError) -> [Piece] {
        var pieces = [Piece.control(bos)]
        for message in messages {
            switch message.role {
            case .system: pieces.append(.text("\(message.content)\n\n"))
            case .user: pieces.append(.text("User: \(message.content)\n\n"))
            case .assistant: pieces += [.text("Assistant: \(message.content)"), .control(eos)]
            case .tool: throw .unsupportedRole(message.role.rawValue, template: style.rawValue)
            }
        }
        return addGenerationPrompt ? pieces + [.text("Assistant:")] : pieces
    }

    private func v3(_ messages: [Message], _ addGenerationPrompt: Bool) -> [Piece] {
        var pieces = systemPrompt(messages)
        var isAfterTool = false
        // As published: only the conversation's first tool message opens the list of outputs.
        var isFirstOutput = true
        for message in messages {
            switch message.role {
            case .system: break
            case .user:
                isAfterTool = false
                pieces += [Self.user, .text(message.content)]
            case .assistant:
                if isAfterTool {
                    pieces += [Self.outputsEnd, .text(message.content), .control(eos)]
                } else {
                    let answer = message.content.split(onLast: "</think>")
                    pieces += [Self.assistant, .text(answer), .control(eos)]
                }
                isAfterTool = false
            case .tool:
                if isFirstOutput { pieces.append(Self.outputsBegin) }
                pieces += [Self.outputBegin, .text(message.content), Self.outputEnd]
                isFirstOutput = false
                isAfterTool = true
            }
        }
        if isAfterTool {
            pieces.append(Self.outputsEnd)
        } else if addGenerationPrompt {
            pieces.append(Self.assistant)
            if style == .r1 { pieces += [Self.think, .text("\n")] }
        }
        return pieces
    }

    private func v31(_ messages: [Message], _ addGenerationPrompt: Bool, _ thinking: Bool) -> [Piece] {
        var pieces = systemPrompt(messages)
        var isAfterTool = false
        var isAfterUser = false
        for message in messages {
            switch message.role {
            case .system: break
            case .user:
                isAfterTool = false
                isAfterUser = true
                pieces += [Self.user, .text(message.content)]
            case .assistant:
                if isAfterUser { pieces += [Self.assistant, Self.endThink] }
                let answer = isAfterTool ? message.content : message.content.split(onFirst: "</think>")
                pieces += [.text(answer), .control(eos)]
                isAfterTool = false
                isAfterUser = false
            case .tool:
                pieces += [Self.outputBegin, .text(message.content), Self.outputEnd]
                isAfterTool = true
                isAfterUser = false
            }
        }
        if addGenerationPrompt, isAfterUser { pieces += [Self.assistant, thinking ? Self.think : Self.endThink] }
        return pieces
    }

    /// The system messages, moved to the start of the conversation.
    private func systemPrompt(_ messages: [Message]) -> [Piece] {
        let texts = messages.filter { $0.role == .system }.map(\.content)
        return [.control(bos), .text(texts.joined(separator: "\n\n"))]
    }
}

extension String {
    /// The text after the last `mark`; the whole string if there is none.
    fileprivate func split(onLast mark: String) -> String {
        var rest = Substring(self)
        while let next = rest.after(mark) { rest = next }
        return String(rest)
    }

    /// The text after the first `mark`; the whole string if there is none.
    fileprivate func split(onFirst mark: String) -> String { Substring(self).after(mark).map(String.init) ?? self }
}

extension Substring {
    /// The text after the first `mark`, or nil. Compares bytes, so that a combining mark after `mark` does not hide it.
    fileprivate func after(_ mark: String) -> Substring? {
        let mark = Array(mark.utf8)
        var place = utf8.startIndex
        while let start = utf8[place...].firstIndex(of: mark[0]) {
            if utf8[start...].starts(with: mark) { return self[utf8.index(start, offsetBy: mark.count)...] }
            place = utf8.index(after: start)
        }
        return nil
    }
}
