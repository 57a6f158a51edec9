import Kernels

/// Which positions of a prompt are attended to in expanded form, and in which slices of heads that goes.
///
/// The form depends on a row's position alone, so that a prompt has the same results in whatever pieces it comes. Positions
/// are decided by chunks of `chunkTokenCount`, as if each chunk were computed whole. A short piece of a chunk, as the next turn
/// of a chat is, expands all keys before it too.
public struct ExpansionRule: Sendable {
    /// Maximum bytes of the expanded keys and values of one slice.
    static let sliceByteCount = 64 << 20
    static let chunkTokenCount = 256
    let shape: MLAShape
    public init(shape: MLAShape) { self.shape = shape }

    /// Heads that are expanded at once for so many keys; nil if not even the fewest fit.
    public func slice(keyCount: Int) -> Int? {
        let width = shape.qkNopeHeadDim + shape.vHeadDim
        let most = min(shape.heads, Self.sliceByteCount / (4 * width * keyCount))
        // A slice begins at a whole number of 16 weight rows.
        return most == shape.heads ? most : (0..<most).map { $0 + 1 }.last { $0 * width % 16 == 0 }
    }

    /// Whether `count` tokens after `start` others of a sequence are cheaper in expanded form: it saves products on every
    /// score, and expands every key once (a query and a latent result cost the other form as much).
    func expands(start: Int, count: Int) -> Bool {
        let keys = start + count
        guard MLAExpanded.takes(shape), shape.entryWidth % 8 == 0, slice(keyCount: keys) != nil else { return false }
        let scores = count * start + count * (count + 1) / 2
        let once = shape.kvLoraRank * (shape.qkNopeHeadDim + shape.vHeadDim)
        let expanded = keys * once + scores * (shape.qkNopeHeadDim + shape.qkRopeHeadDim + shape.vHeadDim)
        return expanded < count * once + scores * (2 * shape.kvLoraRank + shape.qkRopeHeadDim)
    }

    /// The first position, up to a limit, that is not attended to in expanded form: a multiple of `chunkTokenCount`, or the
    /// limit.
    func end(upTo limit: Int) -> Int {
        let size = Self.chunkTokenCount
        var (expanded, absorbed) = (0, (limit + size - 1) / size + 1)
        // The gain from expanding decreases with the start.
        while absorbed - expanded > 1 {
            let middle = (expanded + absorbed) / 2
            if expands(start: (middle - 1) * size, count: size) {
                expanded = middle
            } else {
                absorbed = middle
            }
        }
        return min(expanded * size, limit)
    }
}
