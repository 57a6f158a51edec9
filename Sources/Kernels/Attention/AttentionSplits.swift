import GPU

/// How attention over one token's keys is split, so that even one sequence fills a device: into single pages or into multiples
/// of two pages, and into `most` splits at most. A token's splits depend on its own number of keys and on the device only, so
/// its result has the same bits in every batch.
public struct AttentionSplits: Hashable, Sendable {
    /// Keys of the shortest split: a page.
    public static let unit = CacheView.pageTokenCount
    /// The limit of `most`. Each value is joined from all splits of its head; with more splits that takes longer than they save.
    /// mla_value has one thread of 64 for each.
    static let mostOfAll = 64
    /// Longer splits are multiples of this, the block of keys that the portable variants compute at once. `count` grows in steps
    /// of as many keys, and commands are recorded anew no more often.
    private static let block = 2 * unit

    /// The splits of a token with very many keys.
    public let most: Int
    /// The splits that a dispatch has workgroups for: at least as many as the token with the most keys has.
    public let count: Int

    /// - Parameters:
    ///   - keyCount: the largest number of keys of a token in the batch.
    ///   - isAlone: whether the batch has one token only. Tokens with fewer keys may have more splits; without such tokens, the
    ///     dispatch needs no workgroups for these.
    public init(most: Int, keyCount: Int, isAlone: Bool = false) {
        precondition(1...Self.mostOfAll ~= most && keyCount > 0, "splits: \(most) of \(keyCount) keys")
        self.most = most
        let room = Self.keyRoom(for: keyCount)
        // The length of a split changes at the end of a page: the last page of the room or the one before has the most splits.
        count =
            isAlone
            ? [room, room - Self.unit].map { ceilDivide($0, Self.length(of: $0, most)) }.max()!
            : min(most, room / Self.unit)
    }

    /// The splits on a device, for a number of heads.
    public init(heads: Int, keyCount: Int, isAlone: Bool = false, on profile: DeviceProfile?) {
        self.init(most: Self.most(heads: heads, on: profile), keyCount: keyCount, isAlone: isAlone)
    }

    /// The splits of a token with very many keys. With 16 heads in a workgroup there are about twice as many workgroups as the
    /// device has compute units, so that none waits long for the last.
    public static func most(heads: Int, on profile: DeviceProfile?) -> Int {
        most(heads: heads, computeUnitCount: profile?.computeUnitCount ?? DeviceProfile.usualComputeUnitCount)
    }

    static func most(heads: Int, computeUnitCount: Int) -> Int {
        min(max(1, 2 * computeUnitCount / ceilDivide(heads, 16)), mostOfAll)
    }

    /// Keys of each split of `total` keys; the last split has the rest.
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

    /// The largest number of keys with the same splits and the same width of the page table.
    public static func keyRoom(for keyCount: Int) -> Int { ceilDivide(keyCount, block) * block }
}
