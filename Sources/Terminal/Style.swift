/// A text style, as the parameters of an SGR escape code.
public enum Style: String, Sendable {
    case plain = ""
    case bold = "1"
    case dim = "2"
    case red = "31"
    case cyan = "36"
    case boldCyan = "1;36"

    /// The escape code that begins the style.
    public var opening: String { self == .plain ? "" : "\u{1B}[\(rawValue)m" }
    /// The escape code that ends it.
    public var closing: String { self == .plain ? "" : "\u{1B}[0m" }

    public func applied(to text: String) -> String { opening + text + closing }
}

/// Which standard streams are terminals, and whether escape codes are allowed.
public struct Surroundings: Sendable {
    public var inputIsTerminal: Bool
    public var outputIsTerminal: Bool
    public var errorIsTerminal: Bool
    /// False if `NO_COLOR` is set and not empty, or `TERM` is unset, empty or `dumb`: then no escape codes are written.
    public var allowsEscapeCodes: Bool

    public init(inputIsTerminal: Bool, outputIsTerminal: Bool, errorIsTerminal: Bool, allowsEscapeCodes: Bool) {
        self.inputIsTerminal = inputIsTerminal
        self.outputIsTerminal = outputIsTerminal
        self.errorIsTerminal = errorIsTerminal
        self.allowsEscapeCodes = allowsEscapeCodes
    }

    /// The surroundings of this process.
    public static func current() -> Surroundings {
        let terminal = environmentValue("TERM") ?? ""
        let noColor = environmentValue("NO_COLOR") ?? ""
        return Surroundings(
            inputIsTerminal: isTerminal(0), outputIsTerminal: isTerminal(1), errorIsTerminal: isTerminal(2),
            allowsEscapeCodes: noColor.isEmpty && !terminal.isEmpty && terminal != "dumb")
    }

    /// `style` if stdin and stdout are terminals and escape codes are allowed, else `.plain`.
    public func outputStyle(_ style: Style) -> Style {
        inputIsTerminal && outputIsTerminal && allowsEscapeCodes ? style : .plain
    }

    /// A note for stderr: on a terminal, made safe by `terminalSafe` and wrapped between words; else unchanged.
    public func note(_ text: String, on errors: Output = .error) -> String {
        guard errorIsTerminal else { return text }
        return WordWrap.wrapped(terminalSafe(text), columns: screenSize(errors.descriptor).columns, indent: 2)
    }

    /// `style` if stderr is a terminal and escape codes are allowed, else `.plain`.
    public func errorStyle(_ style: Style) -> Style { errorIsTerminal && allowsEscapeCodes ? style : .plain }
}
