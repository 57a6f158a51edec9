/// Rewrites a pattern of the tokenizer format for PCRE2. The format's own engine is Oniguruma with Ruby's syntax.
///
/// Supports the constructs of published pre-tokenizers. Throws `TextError.pattern` for constructs that the engines read
/// differently. `\s` is rewritten because the engines differ on U+180E. `^` and `$` are line anchors in Ruby, and in
/// PCRE2 with PCRE2_MULTILINE. Categories follow PCRE2's Unicode version (14 in PCRE2 10.42): later characters are
/// unassigned.
enum PatternDialect {
    static func translate(_ pattern: String) throws(TextError) -> String {
        // This pattern, tried at each character of a run of white space inside a line, takes quadratic time. The
        // lookbehind admits only the start of a run: later starts reach the same end, and the earliest start wins.
        if pattern == "\\s+$" { return "(?<!\\p{White_Space})\\p{White_Space}+$" }

        var output = ""
        // Scalars, not characters: a combining mark after a bracket does not hide the bracket.
        var rest = pattern.unicodeScalars[...]
        var isInClass = false
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\\": output += try escape(&rest, of: pattern)
            case "[" where isInClass: throw .pattern(pattern, reason: "a class within a class is not supported")
            case "[":
                isInClass = true
                output += "["
                // A bracket that comes first is a member of the class.
                for member in "^]".unicodeScalars where rest.first == member {
                    output.unicodeScalars.append(rest.removeFirst())
                }
            case "]":
                isInClass = false
                output += "]"
            case "&" where isInClass && rest.first == "&":
                throw .pattern(pattern, reason: "the intersection of classes is not supported")
            case "(" where !isInClass && rest.first == "?":
                let known = ["?:", "?=", "?!", "?<=", "?<!", "?>", "?i:", "?i)"]
                guard known.contains(where: { rest.starts(with: $0.unicodeScalars) }) else {
                    throw .pattern(pattern, reason: "the group (\(Substring(rest.prefix(3))) is not supported")
                }
                output += "("
            case "(" where !isInClass && rest.first == "*":
                throw .pattern(pattern, reason: "nothing to repeat after a parenthesis")
            case "{" where !isInClass && rest.first == ",":
                throw .pattern(pattern, reason: "a repetition without a minimum is not supported")
            case "}" where !isInClass && rest.first == "+":
                throw .pattern(pattern, reason: "a possessive repetition is not supported")
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output
    }

    private static func escape(
        _ rest: inout Substring.UnicodeScalarView, of pattern: String
    ) throws(TextError) -> String {
        guard let letter = rest.popFirst() else { throw .pattern(pattern, reason: "it ends with a backslash") }
        switch letter {
        case "s": return "\\p{White_Space}"
        case "S": return "\\P{White_Space}"
        case "d", "D", "r", "n", "t", "f": return "\\\(letter)"
        case "p", "P":
            guard rest.first == "{", let end = rest.firstIndex(of: "}") else { break }
            let name = Substring(rest[rest.index(after: rest.startIndex)..<end])
            guard categories.contains(name.drop { $0 == "^" }) else {
                throw .pattern(
                    pattern, reason: "the property \\\(letter){\(name)} is not supported: not a general category")
            }
            rest = rest[rest.index(after: end)...]
            return "\\\(letter){\(name)}"
        case _ where letter.isASCII && !letter.properties.isAlphabetic && !("0"..."9").contains(letter):
            return "\\\(letter)"
        default: break
        }
        throw .pattern(pattern, reason: "the escape \\\(letter) is not supported")
    }

    /// General categories, which mean the same in both engines. Scripts and other properties may differ.
    private static let categories: Set<Substring> = [
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe",
        "Pi",
        "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Cs", "Co", "Cn",
    ]
}
