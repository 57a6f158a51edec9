extension ChatTemplate {
    /// The published templates, keyed by the FNV-1a hash of their source. Only exact copies count: a template that
    /// differs in one character may format text differently, and a model answers a wrong format with nonsense.
    private static let published: [UInt64: Style] = [
        0x5111_253F_4AA4_A502: .v2,
        0xB9EB_54D1_5071_6A7D: .v3,
        0x4526_F885_D718_FA95: .r1,
        0x2888_5EB8_EEBD_9C32: .v31,
    ]

    /// Recognises a checkpoint's template by its source.
    ///
    /// Throws if the source is not a published template, or `tokenizer` lacks one of the template's control tokens.
    /// `ChatTemplate(_:config:)` uses a style without this check.
    public static func detect(tokenizerConfig: TokenizerConfig, tokenizer: Tokenizer) throws(TextError) -> ChatTemplate
    {
        guard let source = tokenizerConfig.chatTemplate else {
            throw .unknownTemplate(found: "no chat_template in \(tokenizerConfig.name)")
        }
        guard let style = published[fingerprint(source)] else {
            throw .unknownTemplate(found: "another template (\(source.utf8.count) bytes) in \(tokenizerConfig.name)")
        }
        let template = ChatTemplate(style, config: tokenizerConfig)
        for token in template.controlTokens where tokenizer.id(of: token) == nil {
            throw .missingToken(token, needed: "chat template \(style.rawValue)")
        }
        return template
    }

    private static func fingerprint(_ source: String) -> UInt64 {
        source.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}
