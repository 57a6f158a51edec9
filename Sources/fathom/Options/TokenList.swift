import ArgumentParser

/// Token ids on the command line: "1,2,3".
enum TokenList {
    static func parse(_ text: String) throws -> [Int32] {
        var ids: [Int32] = []
        if text.trimmed.isEmpty { return ids }
        for (index, part) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
            let word = part.trimmed
            guard let id = Int32(word) else {
                throw ValidationError(
                    "expected token ids separated by commas, as in 1,2,3; number \(index + 1) is \"\(word)\"")
            }
            ids.append(id)
        }
        return ids
    }

    static func text(_ ids: [Int32]) -> String { ids.map(String.init).joined(separator: ",") }
}
