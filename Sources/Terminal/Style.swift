/// How text looks where escape codes are allowed.
public enum Style: String, Sendable {
    case plain = ""
    case bold = "1"
    case dim = "2"
    case red = "31"
    case cyan = "36"
    case boldCyan = "1;36"

    /// Begins the style.
    public var opening: String { self == .plain ? "" : "\u{1B}[\(rawValue)m" }
    /// Ends it.
    public var closing: String { self == .plain ? "" : "\u{1B}[0m" }

    public func applied(to text: String) -> String { opening + text + closing }
}

/// What the places that output goes to can show, from what they are and from the environment.
public struct Surroundings: Sendable {
    public var inputIsTerminal: Bool
    public var outputIsTerminal: Bool
    public var errorIsTerminal: Bool
    /// False with `NO_COLOR` set to anything, or with `TERM` unset, empty or `dumb`: then no escape code is sent anywhere.
    public var allowsEscapeCodes: Bool

    public init(inputIsTerminal: Bool, outputIsTerminal: Bool, errorIsTerminal: Bool, allowsEscapeCodes: Bool) {
        self.inputIsTerminal = inputIsTerminal
        self.outputIsTerminal = outputIsTerminal
        self.errorIsTerminal = errorIsTerminal
        self.allowsEscapeCodes = allowsEscapeCodes
    }

    /// The process's own.
    public static func current() -> Surroundings {
        let terminal = environmentValue("TERM") ?? ""
        let noColor = environmentValue("NO_COLOR") ?? ""
        return Surroundings(
            inputIsTerminal: isTerminal(0), outputIsTerminal: isTerminal(1), errorIsTerminal: isTerminal(2),
            allowsEscapeCodes: noColor.isEmpty && !terminal.isEmpty && terminal != "dumb")
    }

    /// The style, or the plain one where it cannot be shown on stdout. With input from a pipe nothing is styled.
    public func outputStyle(_ style: Style) -> Style {
        inputIsTerminal && outputIsTerminal && allowsEscapeCodes ? style : .plain
    }

    /// A note as `errors` may show it: at a terminal harmless, and broken between words.
    public func note(_ text: String, on errors: Output = .error) -> String {
        guard errorIsTerminal else { return text }
        return WordWrap.wrapped(terminalSafe(text), columns: screenSize(errors.descriptor).columns, indent: 2)
    }

    /// The style, or the plain one where it cannot be shown on stderr.
    public func errorStyle(_ style: Style) -> Style { errorIsTerminal && allowsEscapeCodes ? style : .plain }
}
