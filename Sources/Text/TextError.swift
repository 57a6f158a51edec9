import JSON

/// An error of reading tokenizer files, encoding, decoding or formatting a conversation.
public enum TextError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A file is malformed or uses an unsupported feature; the error names file, field and values.
    case file(JSONError)
    /// A pattern does not compile, or uses a construct that PCRE2 and the tokenizer format's engine read differently.
    case pattern(String, reason: String)
    /// Matching a pattern exceeded a limit.
    case matching(pattern: String, reason: String)
    /// No token has this id.
    case unknownID(Int32, vocabularySize: Int)
    /// The tokenizer lacks a control token that a template or a config names.
    case missingToken(String, needed: String)
    /// A chat template is not one of the published ones.
    case unknownTemplate(found: String)
    /// A template does not support a message's role.
    case unsupportedRole(String, template: String)

    public var description: String {
        switch self {
        case .file(let error): return error.description
        case .pattern(let pattern, let reason): return "pattern \(Self.quoted(pattern)): \(reason)"
        case .matching(let pattern, let reason):
            return "pattern \(Self.quoted(pattern)): \(reason); split the text into shorter parts"
        case .unknownID(let id, let size): return "token id \(id): expected the id of a token, below \(size)"
        case .missingToken(let token, let needed):
            return
                "\(needed): expected a tokenizer with the added token \(token), found none; choose another chat template"
        case .unknownTemplate(let found):
            let known = ChatTemplate.Style.allCases.map(\.rawValue).joined(separator: ", ")
            return
                "chat_template: expected a published template (\(known)), found \(found); name one to override it"
        case .unsupportedRole(let role, let template):
            return "chat template \(template): expected a role that it supports, found \(role)"
        }
    }

    private static func quoted(_ pattern: String) -> String {
        "\"\(pattern.count > 60 ? pattern.prefix(60) + "…" : pattern)\""
    }
}

/// Runs `body` and converts its `JSONError` to `TextError.file`.
func readingFile<Result>(_ body: () throws(JSONError) -> Result) throws(TextError) -> Result {
    do throws(JSONError) { return try body() } catch { throw .file(error) }
}
