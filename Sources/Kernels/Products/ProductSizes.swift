import GPU

/// Activation rows and weight rows of a workgroup's tile in the form `tiles`, for `tokens` activation rows in `groups` groups.
///
/// With tiles of 64, activations and weights are read half as often as with tiles of 32. It is chosen where a group fills
/// most of its last tile and where there are enough tiles for every unit of a large device. Both give the same bits.
func tileSize(tokens: Int, groups: Int = 1, rows: Int) -> Int {
    tokens > 32 * groups && ceilDivide(tokens, 64) * ceilDivide(rows, 64) >= 128 ? 64 : 32
}

/// Subgroups of a workgroup among which the form `rows` splits the columns of a product with few weight rows.
///
/// A large device's memory is kept busy by 2048 subgroups. The split grows up to eight until there are as many, while each
/// subgroup still loads twice or more from a row of `chunks` 16-byte chunks. It does not depend on the number of tokens, so a
/// token has the same bits alone and in a batch.
func columnSplit(rows: Int, atOnce: Int, chunks: Int, subgroup: Int) -> Int {
    var split = 1
    while split < 8, ceilDivide(rows, atOnce) * split < 2048, chunks >= 4 * split * subgroup { split *= 2 }
    return split
}

extension Linear {
    /// Activation rows that a workgroup of the forms `rows` and `lanes` computes at once, and how many such groups of rows it
    /// computes one after another; from the second on, the weights are in a cache.
    ///
    /// So up to 32 sequences that decode together read the weights from memory once. A prefill has enough rows for many
    /// workgroups, each of which takes one group.
    func tokens(_ variant: Variant) -> (atOnce: Int, times: Int) {
        let atOnce = tokensAtOnce(for: x.rows, atMost: variant.tokens)
        return (atOnce, phase == .decode ? min(ceilDivide(x.rows, atOnce), 4) : 1)
    }

    /// The sizes of a workgroup of the forms `rows` and `lanes`: its threads, its weight rows and the shader's K_SPLIT.
    ///
    /// - Parameter rowCount: the weight rows of the dispatch, where a workgroup may take more rows of a large weight; else 0.
    func group(
        _ variant: Variant, on profile: DeviceProfile, of rowCount: Int
    ) -> (threads: Int, rows: Int, split: Int) {
        // A few subgroups are enough for devices with narrow ones.
        let ruled =
            variant.form == .rows && profile.narrowSubgroup == nil
            ? columnSplit(
                rows: rows.count, atOnce: variant.rows, chunks: weight.chunkPitch, subgroup: profile.subgroupSize) : 1
        let split = split ?? min(ruled, profile.maxWorkgroupInvocations / profile.subgroupSize)
        guard split > 1 else { return (64, variant.groupRows(on: profile, of: rowCount), 1) }
        // A device with several sizes may choose smaller subgroups; then more of them share the columns.
        let threads = split * profile.subgroupSize
        return (threads, variant.rows, threads / profile.minSubgroupSize)
    }
}

extension Variant {
    /// Weight rows of a workgroup of 64 threads. Of a weight with so many rows that there are workgroups enough, each lane
    /// takes several, one after another.
    func groupRows(on profile: DeviceProfile, of rowCount: Int = 0) -> Int {
        guard form == .lanes else { return max(1, 64 / profile.subgroupSize) * rows }
        var passes = 1
        while passes < 8 && rowCount >= 2 * passes * 64 * rows * Self.leastGroups { passes *= 2 }
        return 64 * rows * passes
    }

    private static let leastGroups = 32
}

/// Activation rows to compute at once: the smallest power of two that holds `count`, at most eight.
///
/// - Parameter limit: the variant's limit; 0 for none.
func tokensAtOnce(for count: Int, atMost limit: Int = 0) -> Int {
    min(count <= 1 ? 1 : count <= 2 ? 2 : count <= 4 ? 4 : 8, limit == 0 ? 8 : limit)
}
