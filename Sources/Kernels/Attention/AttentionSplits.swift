import GPU

/// How attention over one token's keys is split, so that even one sequence fills a device: one page each or pairs of
/// pages, and no more splits than `most`. A token's splits depend on its own keys and the device alone, never on the batch:
/// its result has the same bits in all of them.
public struct AttentionSplits: Hashable, Sendable {
    /// Keys of the shortest split: a page.
    public static let unit = CacheView.pageTokenCount
    /// Every value is joined from all splits of its head: beyond so many that takes longer than what they save. A thread of
    /// mla_value's 64 sees to each.
    static let mostOfAll = 64
    /// What the length of longer ones is a multiple of: the block of keys that the portable forms go through. By as many
    /// keys a batch's `count` grows: commands are recorded anew for no fewer.
    private static let block = 2 * unit

    /// Splits of a token with very many keys.
    public let most: Int
    /// Splits that a dispatch is made for: the batch's longest may have as many, or a few more.
    public let count: Int

    /// - Parameters:
    ///   - keyCount: of the batch's longest.
    ///   - isAlone: whether that is the only one. Shorter ones may have more splits; without them the dispatch has no
    ///     workgroups for nothing, which a device with few units hands out like the others.
    public init(most: Int, keyCount: Int, isAlone: Bool = false) {
        precondition(1...Self.mostOfAll ~= most && keyCount > 0, "splits: \(most) of \(keyCount) keys")
        self.most = most
        let room = Self.keyRoom(for: keyCount)
        // Where a split grows longer there is a page's end: the last page of the room or the one before has the most.
        count =
            isAlone
            ? [room, room - Self.unit].map { ceilDivide($0, Self.length(of: $0, most)) }.max()!
            : min(most, room / Self.unit)
    }

    /// A device's for so many heads.
    public init(heads: Int, keyCount: Int, isAlone: Bool = false, on profile: DeviceProfile?) {
        self.init(most: Self.most(heads: heads, on: profile), keyCount: keyCount, isAlone: isAlone)
    }

    /// Splits of a token with very many keys: with 16 heads a workgroup about twice as many workgroups as the device has
    /// compute units, so that none waits long for the last.
    public static func most(heads: Int, on profile: DeviceProfile?) -> Int {
        most(heads: heads, computeUnitCount: profile?.computeUnitCount ?? DeviceProfile.usualComputeUnitCount)
    }

    static func most(heads: Int, computeUnitCount: Int) -> Int {
        min(max(1, 2 * computeUnitCount / ceilDivide(heads, 16)), mostOfAll)
    }

    /// Keys of each split of so many; the last has what is left.
    public func keyCount(of total: Int) -> Int { Self.length(of: total, most) }

    private static func length(of total: Int, _ most: Int) -> Int {
        let least = ceilDivide(total, most)
        return least <= unit ? unit : ceilDivide(least, block) * block
    }

    /// The splits of a token's keys.
    func ranges(of total: Int) -> [Range<Int>] {
        let length = keyCount(of: total)
        return stride(from: 0, to: total, by: length).map { $0..<min(total, $0 + length) }
    }

    /// Keys up to which the same splits, and a page table as wide, serve.
    public static func keyRoom(for keyCount: Int) -> Int { ceilDivide(keyCount, block) * block }
}
