import GPU

/// Activation rows and weight rows of a workgroup's tile in the form `tiles`, for products of `groups` groups of together
/// `tokens` activation rows.
///
/// A tile of 64 reads both sides half as often as one of 32. It is worth that where a group is not mostly fringe, and where
/// enough of them are there for every unit of a large device. Both give the same bits.
func tileSize(tokens: Int, groups: Int = 1, rows: Int) -> Int {
    tokens > 32 * groups && ceilDivide(tokens, 64) * ceilDivide(rows, 64) >= 128 ? 64 : 32
}

/// Subgroups of a workgroup among which the form `rows` splits the columns of a product with few weight rows, each of
/// `chunks`: as many as it takes to have the 2048 that keep a large device's memory busy, up to eight, while each loads from a
/// row twice or more. It does not depend on the number of tokens: each has the same bits alone and in a batch.
func columnSplit(rows: Int, atOnce: Int, chunks: Int, subgroup: Int) -> Int {
    var split = 1
    while split < 8, ceilDivide(rows, atOnce) * split < 2048, chunks >= 4 * split * subgroup { split *= 2 }
    return split
}

extension Linear {
    /// Activation rows that a workgroup of the forms `rows` and `lanes` computes at once, and how many times so many one after
    /// another, its weights being near from the first time on.
    ///
    /// Sequences that decode together, up to 32, read the weights from memory once. A prefill's many tokens side by side read
    /// them again, from a cache: the fewer the better.
    func tokens(_ variant: Variant) -> (atOnce: Int, times: Int) {
        let atOnce = tokensAtOnce(for: x.rows, atMost: variant.tokens)
        return (atOnce, phase == .decode ? min(ceilDivide(x.rows, atOnce), 4) : 1)
    }

    /// How a workgroup of the forms `rows` and `lanes` is made up: its threads, its weight rows and the shader's K_SPLIT.
    ///
    /// - Parameter rowCount: weight rows in all, where a workgroup may take more of a large weight.
    func group(
        _ variant: Variant, on profile: DeviceProfile, of rowCount: Int
    ) -> (threads: Int, rows: Int, split: Int) {
        // Devices with narrow subgroups are kept busy by few of them.
        let ruled =
            variant.form == .rows && profile.narrowSubgroup == nil
            ? columnSplit(
                rows: rows.count, atOnce: variant.rows, chunks: weight.chunkPitch, subgroup: profile.subgroupSize) : 1
        let split = split ?? min(ruled, profile.maxWorkgroupInvocations / profile.subgroupSize)
        guard split > 1 else { return (64, variant.groupRows(on: profile, of: rowCount), 1) }
        // A device with several sizes may choose smaller subgroups, and then more of them share.
        let threads = split * profile.subgroupSize
        return (threads, variant.rows, threads / profile.minSubgroupSize)
    }
}
