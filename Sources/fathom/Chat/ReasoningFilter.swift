/// Shows what stands between `<think>` and `</think>` in another style, or leaves it out. Markers may arrive in pieces.
struct ReasoningFilter {
    let shows: Bool
    let opening, closing: String
    private var isInside = false
    private var held = ""

    init(shows: Bool, opening: String, closing: String) {
        self.shows = shows
        self.opening = opening
        self.closing = closing
    }

    mutating func feed(_ text: String) -> String {
        held += text
        var out = ""
        while true {
            let marker = isInside ? "</think>" : "<think>"
            if let found = held.firstRange(of: marker) {
                out += styled(String(held[..<found.lowerBound]))
                held = String(held[found.upperBound...])
                isInside.toggle()
                continue
            }
            // Keep what may still become a marker.
            let keep = (1..<marker.count).reversed().first { held.hasSuffix(marker.prefix($0)) } ?? 0
            out += styled(String(held.dropLast(keep)))
            held = String(held.suffix(keep))
            return out
        }
    }

    mutating func finish() -> String {
        defer { held = "" }
        return styled(held)
    }

    private func styled(_ text: String) -> String {
        guard isInside, !text.isEmpty else { return text }
        return shows ? opening + text + closing : ""
    }
}
