/// Why the page table refuses a request.
public enum CacheError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Too few free pages for the new tokens. `freeTokens`: `PageTable.freeTokenCount`. It may exceed `neededTokens`: the free
    /// room is in other sequences' pages, or a shared page would have to be copied first.
    case full(neededTokens: Int, freeTokens: Int)

    public var description: String {
        switch self {
        case .full(let needed, let free): "the cache has room for \(free) more tokens, but \(needed) were to be added"
        }
    }
}
