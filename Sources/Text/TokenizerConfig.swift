import JSON

/// What `tokenizer_config.json` says about framing and conversations.
public struct TokenizerConfig: Equatable, Sendable {
    /// The file's name, for errors.
    public var name: String
    public var bosToken: String?
    public var eosToken: String?
    /// Whether plain text, outside a conversation, starts with `bosToken` or ends with `eosToken`.
    public var addsBOS: Bool
    public var addsEOS: Bool
    /// The chat template's source. Newer checkpoints keep it in a file of its own: set it from there.
    public var chatTemplate: String?

    /// Reads the file's JSON. Tokens are strings or objects with `content`; of several named templates, `default` counts.
    public init(json: [UInt8], name: String) throws(TextError) {
        self = try readingFile { () throws(JSONError) in
            try TokenizerConfig(JSONField(parsing: json, name: name), name: name)
        }
    }

    private init(_ root: JSONField, name: String) throws(JSONError) {
        self.name = name
        bosToken = try Self.token(root["bos_token"])
        eosToken = try Self.token(root["eos_token"])
        addsBOS = try root["add_bos_token"].present?.bool() ?? false
        addsEOS = try root["add_eos_token"].present?.bool() ?? false
        let template = try root["chat_template"]
        if case .array = template.value {
            for entry in try template.array() where try entry["name"].string() == "default" {
                chatTemplate = try entry["template"].string()
            }
        } else {
            chatTemplate = try template.present?.string()
        }
    }

    private static func token(_ field: JSONField) throws(JSONError) -> String? {
        guard let field = field.present else { return nil }
        if case .object = field.value { return try field["content"].string() }
        return try field.string()
    }

    /// The id of `bosToken`; nil if there is none. Throws if `tokenizer` does not have it.
    public func bosID(in tokenizer: Tokenizer) throws(TextError) -> Int32? {
        try id(of: bosToken, "bos_token", tokenizer)
    }

    /// The ids after which generation stops: that of `eosToken`, if there is one. Throws if `tokenizer` does not have it.
    public func stopIDs(in tokenizer: Tokenizer) throws(TextError) -> [Int32] {
        try id(of: eosToken, "eos_token", tokenizer).map { [$0] } ?? []
    }

    private func id(of token: String?, _ key: String, _ tokenizer: Tokenizer) throws(TextError) -> Int32? {
        guard let token else { return nil }
        guard let id = tokenizer.id(of: token) else { throw .missingToken(token, needed: "\(name): \(key)") }
        return id
    }
}
