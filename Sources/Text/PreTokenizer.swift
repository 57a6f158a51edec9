import JSON

/// Splits text into pieces; merges stay within a piece. Each split applies to all pieces that the previous one
/// produced.
struct PreTokenizer: Sendable {
    /// How a split treats the matches of its pattern.
    enum Behavior: String, CaseIterable {
        /// Each match is a piece.
        case isolated = "Isolated"
        /// Matches are discarded.
        case removed = "Removed"
        /// A match joins the text before it.
        case mergedWithPrevious = "MergedWithPrevious"
        /// A match joins the text after it.
        case mergedWithNext = "MergedWithNext"
        /// Adjacent matches form one piece.
        case contiguous = "Contiguous"
    }

    struct Split: Sendable {
        var pattern: CompiledPattern
        var behavior: Behavior
        /// Whether matches and the text between them swap roles.
        var isInverted = false
    }

    /// A byte range of a text, and whether it counts as a match.
    struct Part {
        var range: Range<Int>
        var isMatch: Bool
    }

    var splits: [Split]

    /// The pieces of `text` (valid UTF-8) as byte ranges, in order. Throws if matching exceeds a limit.
    func pieces(
        of text: UnsafeBufferPointer<UInt8>, _ scratch: inout MatchScratch
    ) throws(TextError) -> [Range<Int>] {
        guard !text.isEmpty else { return [] }
        var pieces = [0..<text.count]
        var parts: [Part] = []
        for split in splits {
            var next: [Range<Int>] = []
            next.reserveCapacity(pieces.count * 2)
            for piece in pieces {
                // Each piece is a separate subject: anchors and lookaround do not see text beyond it.
                let subject = UnsafeBufferPointer(rebasing: text[piece])
                parts.removeAll(keepingCapacity: true)
                try Self.cut(subject, by: split, into: &parts, &scratch)
                Self.join(&parts, split.behavior)
                for part in parts where !part.range.isEmpty {
                    next.append(part.range.lowerBound + piece.lowerBound..<part.range.upperBound + piece.lowerBound)
                }
            }
            pieces = next
        }
        return pieces
    }

    private static func cut(
        _ subject: UnsafeBufferPointer<UInt8>, by split: Split, into parts: inout [Part],
        _ scratch: inout MatchScratch
    ) throws(TextError) {
        var end = 0
        var search = 0
        var lastMatchEnd: Int?
        while search <= subject.count,
            let match = try split.pattern.firstMatch(in: subject, from: search, &scratch)
        {
            // An empty match right after the last one would repeat forever: continue one scalar further.
            if match.isEmpty, match.upperBound == lastMatchEnd {
                search += 1
                while search < subject.count, subject[search] & 0xC0 == 0x80 { search += 1 }
                continue
            }
            if end < match.lowerBound { parts.append(Part(range: end..<match.lowerBound, isMatch: split.isInverted)) }
            parts.append(Part(range: match, isMatch: !split.isInverted))
            end = match.upperBound
            search = end
            lastMatchEnd = end
        }
        if end < subject.count { parts.append(Part(range: end..<subject.count, isMatch: split.isInverted)) }
    }

    /// Applies `behavior` to `parts`, which are adjacent and in order.
    private static func join(_ parts: inout [Part], _ behavior: Behavior) {
        switch behavior {
        case .isolated: break
        case .removed: parts.removeAll { $0.isMatch }
        case .contiguous: join(&parts) { part, previousIsMatch in part.isMatch == previousIsMatch }
        case .mergedWithPrevious: join(&parts) { part, previousIsMatch in part.isMatch && !previousIsMatch }
        case .mergedWithNext:
            parts.reverse()
            join(&parts) { part, previousIsMatch in part.isMatch && !previousIsMatch }
            parts.reverse()
        }
    }

    /// Joins each part to its predecessor if `belongs` returns true.
    private static func join(_ parts: inout [Part], where belongs: (Part, _ previousIsMatch: Bool) -> Bool) {
        var joined: [Part] = []
        var previousIsMatch = false
        for part in parts {
            if belongs(part, previousIsMatch), let last = joined.last?.range {
                let lower = min(last.lowerBound, part.range.lowerBound)
                joined[joined.count - 1].range = lower..<max(last.upperBound, part.range.upperBound)
            } else {
                joined.append(part)
            }
            previousIsMatch = part.isMatch
        }
        parts = joined
    }
}

extension PreTokenizer {
    /// GPT-2's pattern, by which a ByteLevel step splits if `use_regex` is true.
    private static let byteLevelPattern =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    /// Reads the `pre_tokenizer` field: a ByteLevel step, or a Sequence of Split and Digits steps that ends with
    /// ByteLevel.
    init(_ field: JSONField) throws(TextError) {
        splits = []
        var isByteLevel = false
        try add(field, &isByteLevel)
        guard isByteLevel else { throw .file(field.error(expected: "a ByteLevel step at the end", found: "none")) }
    }

    private mutating func add(_ field: JSONField, _ isByteLevel: inout Bool) throws(TextError) {
        let type = try readingFile { () throws(JSONError) in try field["type"] }
        guard !isByteLevel else { throw .file(type.error(expected: "nothing after ByteLevel")) }
        switch try readingFile({ () throws(JSONError) in try type.string() }) {
        case "Sequence":
            for step in try readingFile({ () throws(JSONError) in try field["pretokenizers"].array() }) {
                try add(step, &isByteLevel)
            }
        case "Split": splits.append(try Self.split(field))
        case "Digits":
            let isIndividual = try readingFile { () throws(JSONError) in
                try field["individual_digits"].present?.bool() ?? false
            }
            splits.append(
                Split(
                    pattern: try CompiledPattern(expression: "\\p{N}"),
                    behavior: isIndividual ? .isolated : .contiguous))
        case "ByteLevel":
            isByteLevel = true
            let usesRegex = try readingFile { () throws(JSONError) in
                let prefix = try field["add_prefix_space"]
                if try prefix.present?.bool() ?? true { throw prefix.error(expected: "false (true is not supported)") }
                return try field["use_regex"].present?.bool() ?? true
            }
            if usesRegex {
                splits.append(
                    Split(pattern: try CompiledPattern(expression: Self.byteLevelPattern), behavior: .isolated))
            }
        default: throw .file(type.error(expected: "Sequence, Split, Digits or ByteLevel"))
        }
    }

    private static func split(_ field: JSONField) throws(TextError) -> Split {
        let (expression, literal, behavior, isInverted) = try readingFile { () throws(JSONError) in
            let pattern = try field["pattern"]
            let behaviorField = try field["behavior"]
            guard let behavior = Behavior(rawValue: try behaviorField.string()) else {
                let known = Behavior.allCases.map(\.rawValue).joined(separator: ", ")
                throw behaviorField.error(expected: "one of \(known)")
            }
            return (
                try pattern["Regex"].present?.string(), try pattern["String"].present?.string(), behavior,
                try field["invert"].present?.bool() ?? false
            )
        }
        let pattern: CompiledPattern
        if let expression {
            pattern = try CompiledPattern(expression: expression)
        } else if let literal {
            pattern = try CompiledPattern(literal: literal)
        } else {
            throw .file(field.error(expected: "a pattern with Regex or String"))
        }
        return Split(pattern: pattern, behavior: behavior, isInverted: isInverted)
    }
}
