import JSON
import Text

/// What a checkpoint says about text: its tokenizer, how conversations are framed, which tokens end an answer.
struct ModelText {
    let tokenizer: Tokenizer
    let config: TokenizerConfig

    /// Reads `tokenizer.json`, `tokenizer_config.json` and, where there is one, `chat_template.jinja`.
    ///
    /// - Parameter read: a file's bytes; nil if the checkpoint has none of that name.
    /// - Returns: nil if the checkpoint has no `tokenizer.json`.
    init?(read: (String) throws -> [UInt8]?) throws {
        guard let json = try read("tokenizer.json") else { return nil }
        tokenizer = try Tokenizer(json: json, name: "tokenizer.json")
        var config = try TokenizerConfig(
            json: try read("tokenizer_config.json") ?? Array("{}".utf8), name: "tokenizer_config.json")
        if let template = try read("chat_template.jinja") {
            config.chatTemplate = try Input.text(template, name: "chat_template.jinja")
        }
        self.config = config
    }

    /// Text as the model continues it: after the begin token, if the model's texts have one.
    func encode(raw text: String) throws -> [Int32] { try encode(raw: Array(text.utf8)) }

    /// The same of a text's bytes, which must be UTF-8.
    func encode(raw bytes: [UInt8]) throws -> [Int32] {
        let begin = config.addsBOS ? try config.bosID(in: tokenizer) : nil
        return (begin.map { [$0] } ?? []) + (try tokenizer.encode(bytes: bytes, specials: .asText))
    }

    /// Tokens that end an answer: the tokenizer's end token and those of `generation_config.json` and `config.json`.
    static func stopTokens(_ text: ModelText?, read: (String) throws -> [UInt8]?) throws -> Set<Int32> {
        var tokens = Set(try text.map { try $0.config.stopIDs(in: $0.tokenizer) } ?? [])
        for name in ["generation_config.json", "config.json"] {
            guard let json = try read(name) else { continue }
            guard let field = try JSONField(parsing: json, name: name)["eos_token_id"].present else { continue }
            if case .array = field.value {
                for element in try field.array() { tokens.insert(try id(element)) }
            } else {
                tokens.insert(try id(field))
            }
        }
        return tokens
    }

    private static func id(_ field: JSONField) throws -> Int32 {
        guard let id = Int32(exactly: try field.int()) else { throw field.error(expected: "a token id") }
        return id
    }
}
