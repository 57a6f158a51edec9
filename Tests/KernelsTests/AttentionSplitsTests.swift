import GPU
import Testing

@testable import Kernels

/// How many splits a token's keys have: enough to fill the device, and none for nothing.
struct AttentionSplitsTests {
    /// A sequence alone makes one to two workgroups of 16 heads a compute unit, where it has the keys for that.
    @Test(arguments: [(16, 132), (64, 132), (128, 132), (128, 96), (128, 20), (16, 2), (5, 64)])
    func oneSequenceFillsTheDevice(heads: Int, units: Int) {
        let most = AttentionSplits.most(heads: heads, computeUnitCount: units)
        let groups = (heads + 15) / 16
        #expect(1...64 ~= most && (groups * most <= 2 * units || most == 1))
        for keyCount in [8192, 9000, 131_072] {
            let count = AttentionSplits(most: most, keyCount: keyCount).ranges(of: keyCount).count
            #expect(count > most / 2 && count <= most)
            #expect(most == 64 || 2 * groups * count > units)
        }
    }

    /// The splits are whole pages, together all keys, never more than the dispatch is made for; and the batch's longest,
    /// which decides on the dispatch, changes none of another's.
    @Test func splitsAreTheTokensOwn() {
        for most in [1, 3, 7, 33, 64] {
            let longest = AttentionSplits(most: most, keyCount: 5000)
            for keyCount in 1...5000 {
                let own = AttentionSplits(most: most, keyCount: keyCount)
                let ranges = own.ranges(of: keyCount)
                #expect(
                    ranges.count <= own.count && own.count <= longest.count && ranges == longest.ranges(of: keyCount))
                #expect(ranges.allSatisfy { $0.lowerBound % 64 == 0 && !$0.isEmpty })
                #expect(ranges.first!.lowerBound == 0 && ranges.last!.upperBound == keyCount)
                #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
            }
        }
    }

    /// A token alone: the dispatch serves it as long as its keys have room, and has no split more than it may come to use.
    @Test func aloneNoSplitIsForNothing() {
        for most in [1, 3, 4, 7, 33, 64] {
            for room in stride(from: 128, through: 9088, by: 128) {
                let counts = (room - 127...room).map { keyCount in
                    let own = AttentionSplits(most: most, keyCount: keyCount, isAlone: true)
                    return (made: own.count, used: own.ranges(of: keyCount).count)
                }
                #expect(counts.allSatisfy { $0.made == counts.map(\.used).max()! }, "\(most) of \(room)")
            }
        }
    }

    /// Commands are recorded anew no more often than every 128 keys, and the dispatch alone no more beyond `most` splits.
    @Test func aLongContextKeepsItsDispatch() {
        #expect((1...128).allSatisfy { AttentionSplits(most: 64, keyCount: $0).count == 2 })
        #expect((8192...131_072).allSatisfy { AttentionSplits(most: 64, keyCount: $0).count == 64 })
    }

    /// A device that tells nothing of its compute units has the stated number.
    @Test func anUnknownDeviceHasSome() throws {
        let profile = try Device.open().profile
        let units = profile.computeUnitCount ?? DeviceProfile.usualComputeUnitCount
        #expect(
            AttentionSplits.most(heads: 16, on: profile) == AttentionSplits.most(heads: 16, computeUnitCount: units))
        #expect(AttentionSplits.most(heads: 16, on: nil) == 64)
    }
}
