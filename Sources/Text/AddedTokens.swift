/// A token that merges do not produce: encoding finds it in text by its exact content.
struct AddedToken: Sendable {
    var id: Int32
    var content: String
    /// A control token, for example a role marker. Decoding omits it on request.
    var isSpecial = false
    /// Matched after the tokens without this flag. (The format matches it in normalised text, but normalisers are not
    /// supported.)
    var isNormalized = false
    /// Matches only if no word character stands directly before or after it.
    var isSingleWord = false
    /// The match includes the white space before the content.
    var stripsLeft = false
    /// The match includes the white space after the content.
    var stripsRight = false
}

/// Finds added tokens in text. Matches do not overlap; the leftmost wins, then the longest.
struct AddedTokenMatcher: Sendable {
    private let tokens: [AddedToken]
    /// Edges of a byte trie: the key is node << 8 | byte, the value the next node.
    private var edges: [UInt32: UInt32] = [:]
    /// The token whose content ends at a node, or -1.
    private var endings: [Int] = [-1]
    /// For each byte, whether a token starts with it.
    private var canStart = [Bool](repeating: false, count: 256)

    init(_ tokens: [AddedToken]) {
        self.tokens = tokens
        for (index, token) in tokens.enumerated() {
            var node: UInt32 = 0
            for byte in token.content.utf8 {
                if node == 0 { canStart[Int(byte)] = true }
                if let next = edges[node << 8 | UInt32(byte)] {
                    node = next
                } else {
                    edges[node << 8 | UInt32(byte)] = UInt32(endings.count)
                    node = UInt32(endings.count)
                    endings.append(-1)
                }
            }
            endings[Int(node)] = index
        }
    }

    /// A part of a text: an added token, or a byte range without added tokens.
    enum Segment: Equatable {
        case text(Range<Int>)
        case token(Int32)
    }

    /// Splits `range` of `text` (valid UTF-8) at its added tokens.
    func segments(of text: UnsafeBufferPointer<UInt8>, in range: Range<Int>) -> [Segment] {
        var segments: [Segment] = []
        var end = range.lowerBound
        var place = range.lowerBound
        while place < range.upperBound {
            guard canStart[Int(text[place])],
                let (index, length) = longestMatch(in: text, at: place, before: range.upperBound)
            else {
                place += 1
                continue
            }
            let token = tokens[index]
            var start = place
            place += length
            if token.isSingleWord, Self.touchesWord(text, start..<place, in: range) { continue }
            // Spaces that the previous match includes are not matched again.
            if token.stripsLeft { start = Self.spacesStart(text, before: start, from: end) }
            if token.stripsRight { place = Self.spacesEnd(text, after: place, to: range.upperBound) }
            if end < start { segments.append(.text(end..<start)) }
            segments.append(.token(token.id))
            end = place
        }
        if end < range.upperBound { segments.append(.text(end..<range.upperBound)) }
        return segments
    }

    private func longestMatch(
        in text: UnsafeBufferPointer<UInt8>, at start: Int, before limit: Int
    ) -> (index: Int, length: Int)? {
        var best: (Int, Int)?
        var node: UInt32 = 0
        var place = start
        while place < limit, let next = edges[node << 8 | UInt32(text[place])] {
            node = next
            place += 1
            if endings[Int(node)] >= 0 { best = (endings[Int(node)], place - start) }
        }
        return best
    }

    // MARK: Neighbours

    private static func touchesWord(_ text: UnsafeBufferPointer<UInt8>, _ match: Range<Int>, in range: Range<Int>)
        -> Bool
    {
        scalar(text, before: match.lowerBound, from: range.lowerBound).map { isWord($0.scalar) } == true
            || scalar(text, at: match.upperBound, to: range.upperBound).map { isWord($0.scalar) } == true
    }

    private static func spacesStart(_ text: UnsafeBufferPointer<UInt8>, before place: Int, from start: Int) -> Int {
        var place = place
        while let (scalar, length) = scalar(text, before: place, from: start), scalar.properties.isWhitespace {
            place -= length
        }
        return place
    }

    private static func spacesEnd(_ text: UnsafeBufferPointer<UInt8>, after place: Int, to end: Int) -> Int {
        var place = place
        while let (scalar, length) = scalar(text, at: place, to: end), scalar.properties.isWhitespace {
            place += length
        }
        return place
    }

    private static func scalar(
        _ text: UnsafeBufferPointer<UInt8>, at place: Int, to end: Int
    ) -> (scalar: Unicode.Scalar, length: Int)? {
        guard place < end else { return nil }
        var bytes = text[place..<min(place + 4, end)].makeIterator()
        var decoder = UTF8()
        guard case .scalarValue(let scalar) = decoder.decode(&bytes) else { return nil }
        return (scalar, UTF8.width(scalar))
    }

    private static func scalar(
        _ text: UnsafeBufferPointer<UInt8>, before place: Int, from start: Int
    ) -> (scalar: Unicode.Scalar, length: Int)? {
        guard place > start else { return nil }
        var lead = place - 1
        while lead > start, text[lead] & 0xC0 == 0x80 { lead -= 1 }
        return scalar(text, at: lead, to: place)
    }

    /// Whether `scalar` is a word character as UTS 18, annex C, defines it.
    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        let properties = scalar.properties
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
        default: return properties.isAlphabetic || properties.isJoinControl
        }
    }
}
