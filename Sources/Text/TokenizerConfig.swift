import JSON

/// The fields of `tokenizer_config.json` that concern begin and end tokens and conversations.
public struct TokenizerConfig: Equatable, Sendable {
    /// The file's name, for errors.
    public var name: String
    public var bosToken: String?
    public var eosToken: String?
    /// Whether plain text, outside a conversation, starts with `bosToken`.
    public var addsBOS: Bool
    /// Whether plain text, outside a conversation, ends with `eosToken`.
    public var addsEOS: Bool
    /// The chat template's source. Newer checkpoints keep it in a separate file, from which the caller sets it.
    public var chatTemplate: String?

    /// Reads the file's JSON. A token is a string or an object with `content`. If there are several named templates,
    /// uses `default`.
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

    /// The id of `bosToken`; nil if the config names none. Throws if `tokenizer` lacks the token.
    public func bosID(in tokenizer: Tokenizer) throws(TextError) -> Int32? {
        try id(of: bosToken, "bos_token", tokenizer)
    }

    /// The ids after which generation stops: the id of `eosToken`, or none. Throws if `tokenizer` lacks the token.
    public func stopIDs(in tokenizer: Tokenizer) throws(TextError) -> [Int32] {
        try id(of: eosToken, "eos_token", tokenizer).map { [$0] } ?? []
    }

    private func id(of token: String?, _ key: String, _ tokenizer: Tokenizer) throws(TextError) -> Int32? {
        guard let token else { return nil }
        guard let id = tokenizer.id(of: token) else { throw .missingToken(token, needed: "\(name): \(key)") }
        return id
    }
}
