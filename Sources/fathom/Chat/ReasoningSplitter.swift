/// Tells an answer's reasoning, between `<think>` and `</think>`, from the answer itself, while it streams.
///
/// Only an opening mark at the very start counts: an answer may speak of `<think>`. Marks may arrive in pieces.
struct ReasoningSplitter {
    enum Part: Equatable {
        case reasoning(String)
        case answer(String)
    }

    private enum State { case start, reasoning, beforeAnswer, answer }
    private var state: State
    /// Text that is held back because it may be the beginning of a mark.
    private var held = ""

    /// - Parameter isOpen: the prompt has opened the reasoning already.
    init(isOpen: Bool) { state = isOpen ? .reasoning : .start }

    /// The reasoning has begun and not ended.
    var isInReasoning: Bool { state == .reasoning }

    /// The parts that the text determines now and did not determine before.
    mutating func feed(_ text: String) -> [Part] {
        held += text
        var parts: [Part] = []
        if state == .start {
            let begun = held.drop { $0.isWhitespace }
            if begun.utf8.starts(with: "<think>".utf8) {
                held = String(begun.dropFirst("<think>".count))
                state = .reasoning
            } else if "<think>".utf8.starts(with: begun.utf8) {
                return []
            } else {
                state = .beforeAnswer
            }
        }
        if state == .reasoning {
            guard let mark = held.firstRange(of: "</think>") else {
                let kept = suffixLength(of: held, thatBegins: "</think>")
                append(.reasoning(String(held.dropLast(kept))), to: &parts)
                held = String(held.suffix(kept))
                return parts
            }
            append(.reasoning(String(held[..<mark.lowerBound])), to: &parts)
            held = String(held[mark.upperBound...])
            state = .beforeAnswer
        }
        if state == .beforeAnswer {
            // The space between the mark, or the template, and the answer is no part of it.
            held = String(held.drop { $0.isWhitespace })
            if !held.isEmpty { state = .answer }
        }
        append(.answer(held), to: &parts)
        held = ""
        return parts
    }

    /// The rest that was held back, at the answer's end.
    mutating func finish() -> [Part] {
        defer { held = "" }
        guard !held.isEmpty, state == .reasoning || state == .start else { return [] }
        let text = held
        return state == .reasoning ? [.reasoning(text)] : text.contains { !$0.isWhitespace } ? [.answer(text)] : []
    }

    private func append(_ part: Part, to parts: inout [Part]) {
        switch part {
        case .reasoning(let text), .answer(let text): if !text.isEmpty { parts.append(part) }
        }
    }

    private func suffixLength(of text: String, thatBegins mark: String) -> Int {
        (1..<mark.count).last { text.hasSuffix(mark.prefix($0)) } ?? 0
    }
}
