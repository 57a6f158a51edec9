import JSON

/// What can go wrong between text and token ids.
public enum TextError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A file is malformed, or holds what this tokenizer does not support; the error names file, field and values.
    case file(JSONError)
    /// A pattern does not compile, or uses what PCRE2 and the tokenizer's own engine understand differently.
    case pattern(String, reason: String)
    /// Matching a pattern took more than the limits allow.
    case matching(pattern: String, reason: String)
    /// No token has this id.
    case unknownID(Int32, vocabularySize: Int)
    /// A template's control token that the tokenizer does not have.
    case missingToken(String, needed: String)
    /// A chat template that is none of those known.
    case unknownTemplate(found: String)
    /// A message whose role the template has no place for.
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
            return "chat_template: expected a published template (\(known)), found \(found); name one to use it anyway"
        case .unsupportedRole(let role, let template):
            return "chat template \(template): expected roles it has a place for, found \(role)"
        }
    }

    private static func quoted(_ pattern: String) -> String {
        "\"\(pattern.count > 60 ? pattern.prefix(60) + "…" : pattern)\""
    }
}

/// Runs JSON reading within this module's errors.
func readingFile<Result>(_ body: () throws(JSONError) -> Result) throws(TextError) -> Result {
    do throws(JSONError) { return try body() } catch { throw .file(error) }
}
