import Numerics

/// Text escaped for XML and HTML, in elements and quoted attributes. Removes characters that XML forbids.
func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "'": result += "&#39;"
        case "\t", "\n": result.unicodeScalars.append(scalar)
        case "\u{0}"..<"\u{20}", "\u{FFFE}", "\u{FFFF}": continue
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}

/// A coordinate with at most one decimal, which is finer than a pixel.
func coordinate(_ value: Double) -> String {
    let text = fixed(value, 1)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}

/// The colours of pages and pictures, as CSS variables for a light and a dark scheme. Text colours have a contrast of
/// at least 4.5 against the background; series colours differ in lightness as well as in hue.
enum Palette {
    static let names = [
        "paper", "panel", "ink", "muted", "grid", "line", "accent", "memory", "arithmetic", "launch",
        "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "rest",
    ]
    private static let light = [
        "#ffffff", "#f4f6f8", "#1c2430", "#566171", "#e3e7ec", "#bcc5cf", "#1f66c1", "#2a6fd0", "#d2560c", "#7a4fc9",
        "#2a6fd0", "#e8a100", "#1a9c6c", "#d63f6c", "#7a4fc9", "#e8702a", "#15808f", "#8a6d3b", "#98a2ae",
    ]
    private static let dark = [
        "#12161c", "#1a2029", "#e4e9f0", "#9ba7b6", "#28303a", "#465160", "#6aa8f5", "#5a9bf0", "#f08a4b", "#b493f2",
        "#4d90ea", "#d9a32b", "#33a97c", "#e2688c", "#a483ea", "#e0803f", "#2ea3b3", "#b3935a", "#717c8a",
    ]

    static let seriesCount = 8

    /// The variables for `selector`: the reader's preferred scheme on screens, light in print.
    static func variables(_ selector: String) -> String {
        func block(_ colours: [String]) -> String {
            "\(selector){" + zip(names, colours).map { "--\($0):\($1)" }.joined(separator: ";") + "}"
        }
        return """
            \(block(light))
            @media (prefers-color-scheme:dark){\(block(dark))}
            @media print{\(block(light))}

            """
    }

    /// A declaration by variable, preceded by one of the light colour for programs without CSS variables.
    static func declaration(_ property: String, _ name: String) -> String {
        "\(property):\(light[names.firstIndex(of: name)!]);\(property):var(--\(name))"
    }
}
