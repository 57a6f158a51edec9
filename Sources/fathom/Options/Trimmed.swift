extension StringProtocol {
    /// Without white space at both ends.
    var trimmed: String { drop { $0.isWhitespace }.withoutTrailingSpace }

    /// Without white space at the end.
    var withoutTrailingSpace: String { String(reversed().drop { $0.isWhitespace }.reversed()) }
}
