import Numerics

/// The tokens that may still be drawn, in id order.
///
/// No step needs them sorted. Top-k, top-p and min-p each keep what stands at or before one place in the order "higher logit
/// first, lower id first among equals"; finding that place is a selection, which takes three passes whatever the logits are.
struct Candidates {
    private(set) var count = 0
    /// The first `count` elements of each count. The arrays keep their size from one draw to the next: fresh memory for a whole
    /// vocabulary takes as long as the draw.
    private var ids: [Int32] = []
    private var logits: [Float] = []
    /// Once weighed: as `DrawRule` says; the likeliest token's is 2³¹.
    private var weights: [UInt32] = []

    /// Starts over with all tokens; at least one logit is finite, none is NaN or +∞.
    mutating func fill(_ source: UnsafeBufferPointer<Float>) {
        if ids.count != source.count {
            ids = Array(repeating: 0, count: source.count)
            logits = Array(repeating: 0, count: source.count)
            weights = Array(repeating: 0, count: source.count)
        }
        count = source.count
        for id in ids.indices { ids[id] = Int32(truncatingIfNeeded: id) }
        // Adding 0 makes −0 equal to 0 in its bits too.
        for id in logits.indices { logits[id] = source[id] + 0 }
    }

    /// Keeps the `limit` likeliest.
    mutating func keepTop(_ limit: Int) {
        guard limit < count else { return }
        keep(through: place(where: { _ in UInt64(limit) }, measure: { _ in 1 }))
    }

    /// Computes the weights.
    mutating func weigh(by rule: DrawRule) {
        let count = count
        logits.withUnsafeBufferPointer { logits in
            weights.withUnsafeMutableBufferPointer { weights in
                var best = -Float.infinity
                for index in 0..<count { best = logits[index] > best ? logits[index] : best }
                precondition(best.isFinite, "sampling needs a finite best logit, found \(best)")
                for index in 0..<count {
                    weights[index] = DrawRule.weight(below: best - logits[index], scale: rule.scale)
                }
            }
        }
    }

    /// Keeps the likeliest until they weigh what the rule's top-p asks for: one at least.
    mutating func keepNucleus(of rule: DrawRule) {
        keep(through: place(where: rule.nucleus, measure: { UInt64(weights[$0]) }))
    }

    mutating func keepWeights(from least: UInt32) { keep { _, _, weight in weight >= least } }

    /// The token that the rule draws of these.
    func draw(by rule: DrawRule) -> Int32 {
        let point = rule.point(of: weights[..<count].reduce(0) { $0 + UInt64($1) })
        var sum: UInt64 = 0
        for index in 0..<count {
            sum += UInt64(weights[index])
            if sum > point { return ids[index] }
        }
        preconditionFailure("a draw at \(point) of \(sum)")
    }

    /// The tokens and their weights.
    var distribution: [(id: Int32, weight: UInt32)] { (0..<count).map { (ids[$0], weights[$0]) } }

    // MARK: Selection

    /// A place in the order of tokens; the id tells those of equal keys apart.
    private struct Place {
        var key: UInt32
        var id: Int32
    }

    /// A logit as an unsigned integer of the same order: IEEE numbers order like sign and magnitude.
    @inline(__always)
    private static func key(_ logit: Float) -> UInt32 {
        let bits = logit.bitPattern
        return bits ^ (UInt32(bitPattern: Int32(bitPattern: bits) >> 31) | 0x8000_0000)
    }

    private mutating func keep(through place: Place) {
        keep { id, logit, _ in
            let key = Self.key(logit)
            return key > place.key || key == place.key && id <= place.id
        }
    }

    @inline(__always)
    private mutating func keep(where isKept: (Int32, Float, UInt32) -> Bool) {
        var kept = 0
        ids.withUnsafeMutableBufferPointer { ids in
            logits.withUnsafeMutableBufferPointer { logits in
                weights.withUnsafeMutableBufferPointer { weights in
                    for index in 0..<count {
                        let (id, logit, weight) = (ids[index], logits[index], weights[index])
                        ids[kept] = id
                        logits[kept] = logit
                        weights[kept] = weight
                        // Counted rather than branched on: which tokens stay is random to the processor.
                        kept += isKept(id, logit, weight) ? 1 : 0
                    }
                }
            }
        }
        count = kept
    }

    /// The first place at which the measures of all tokens up to it add up to the target, or the last place.
    /// The target is a function of the sum of all measures.
    ///
    /// A radix selection: sums by the key's highest twelve bits tell in which of 4096 bins the place lies, the next ten bits
    /// where in that bin, the last ten which key; among equal keys the lowest ids come first.
    @inline(__always)
    private func place(where targetOf: (UInt64) -> UInt64, measure: (Int) -> UInt64) -> Place {
        var target: UInt64 = 0
        var sum: UInt64 = 0
        var prefix: UInt32 = 0
        var members: [Int] = []
        for (shift, bits) in [(20, 12), (10, 10), (0, 10)] as [(UInt32, UInt32)] {
            let mask: UInt32 = 1 << bits - 1
            var bins = [UInt64](repeating: 0, count: 1 << Int(bits))
            let isFirst = shift == 20
            for place in 0..<(isFirst ? count : members.count) {
                let index = isFirst ? place : members[place]
                bins[Int(Self.key(logits[index]) >> shift & mask)] += measure(index)
            }
            if isFirst { target = targetOf(bins.reduce(0, +)) }
            var bin = bins.count - 1
            while bin > 0, sum + bins[bin] < target {
                sum += bins[bin]
                bin -= 1
            }
            prefix = prefix << bits | UInt32(bin)
            if isFirst {
                for index in 0..<count where Self.key(logits[index]) >> shift == prefix { members.append(index) }
            } else {
                members.removeAll { Self.key(logits[$0]) >> shift != prefix }
            }
        }
        for index in members {
            sum += measure(index)
            if sum >= target { return Place(key: prefix, id: ids[index]) }
        }
        return Place(key: prefix, id: members.last.map { ids[$0] } ?? .max)
    }
}
