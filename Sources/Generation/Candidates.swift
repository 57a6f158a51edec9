/// The tokens that may still be drawn, in id order.
///
/// No step needs them sorted. Top-k, top-p and min-p each keep what stands at or before one place in the order "higher logit
/// first, lower id first among equals"; finding that place is a selection, which takes three passes whatever the logits are.
struct Candidates {
    private(set) var ids: [Int32]
    /// Unsigned integers in the order of the logits.
    private var keys: [UInt32]
    /// The logits until `weigh`, from then on e^((logit − best logit) / temperature): the likeliest token's weight is 1.
    private(set) var weights: [Double]

    /// All tokens; at least one logit is finite, none is NaN or +∞.
    init(_ logits: UnsafeBufferPointer<Float>) {
        ids = Array(unsafeUninitializedCapacity: logits.count) { buffer, count in
            for id in 0..<logits.count { buffer[id] = Int32(truncatingIfNeeded: id) }
            count = logits.count
        }
        keys = Array(unsafeUninitializedCapacity: logits.count) { buffer, count in
            for id in 0..<logits.count { buffer[id] = Self.key(logits[id]) }
            count = logits.count
        }
        weights = []
    }

    /// IEEE numbers order like sign and magnitude. Adding 0 makes −0 equal to 0.
    private static func key(_ logit: Float) -> UInt32 {
        let bits = (logit + 0).bitPattern
        return bits >> 31 == 0 ? bits | 0x8000_0000 : ~bits
    }

    private static func logit(_ key: UInt32) -> Float {
        Float(bitPattern: key >> 31 == 1 ? key & 0x7FFF_FFFF : ~key)
    }

    /// Keeps the `count` likeliest.
    mutating func keepTop(_ count: Int) {
        guard count < ids.count else { return }
        keep(through: place(where: Double(count)) { _ in 1 })
    }

    /// Computes the weights at this temperature.
    mutating func weigh(temperature: Double) {
        let best = Double(Self.logit(keys.max()!))
        precondition(best.isFinite, "sampling needs a finite best logit, found \(best)")
        weights = keys.map { (Double(Self.logit($0)) - best) / temperature }
        Exponential.replaceAll(&weights)
    }

    /// Keeps the likeliest until their share of all weights is at least `share`: one at least.
    mutating func keepNucleus(_ share: Double) {
        guard share < 1 else { return }
        let target = share * weights.reduce(0, +)
        keep(
            through: weights.withUnsafeBufferPointer { weights in
                // The smallest positive target, so that a share of 0 keeps the first.
                place(where: max(target, .leastNonzeroMagnitude)) { weights[$0] }
            })
    }

    /// Keeps what weighs at least `share` of the likeliest token's 1.
    mutating func keepShare(ofBest share: Double) {
        guard share > 0 else { return }
        keep(weights.indices.filter { weights[$0] >= share })
    }

    /// The token at `unit`, in 0 ..< 1, of the weights laid end to end in id order.
    func draw(_ unit: Double) -> Int32 {
        let point = unit * weights.reduce(0, +)
        var sum = 0.0
        var last = 0
        for index in weights.indices where weights[index] > 0 {
            sum += weights[index]
            last = index
            if sum > point { break }
        }
        return ids[last]
    }

    // MARK: Selection

    /// A place in the order of candidates.
    private struct Place {
        var key: UInt32
        /// The index in id order, which tells equal keys apart.
        var index: Int
    }

    /// The first place at which the measures of all candidates up to it add up to `target`, or the last place.
    ///
    /// A radix selection: sums by the key's highest twelve bits tell in which of 4096 bins the place lies, the next ten bits
    /// where in that bin, the last ten which key; among equal keys the lowest ids come first.
    private func place(where target: Double, measure: (Int) -> Double) -> Place {
        var members: [Int] = []
        var sum = 0.0
        var prefix: UInt32 = 0
        for (level, (shift, bits)) in [(20, 12), (10, 10), (0, 10)].enumerated() {
            let mask = (1 << bits) - 1
            var bins = [Double](repeating: 0, count: mask + 1)
            bins.withUnsafeMutableBufferPointer { bins in
                if level == 0 {
                    for index in keys.indices { bins[Int(keys[index] >> 20)] += measure(index) }
                } else {
                    for index in members { bins[Int(keys[index] >> UInt32(shift)) & mask] += measure(index) }
                }
            }
            var bin = mask
            while bin > 0, sum + bins[bin] < target {
                sum += bins[bin]
                bin -= 1
            }
            prefix = prefix << UInt32(bits) | UInt32(bin)
            if level == 0 {
                members = keys.indices.filter { keys[$0] >> 20 == prefix }
            } else {
                members.removeAll { keys[$0] >> UInt32(shift) != prefix }
            }
        }
        for index in members {
            sum += measure(index)
            if sum >= target { return Place(key: prefix, index: index) }
        }
        return Place(key: prefix, index: members.last ?? keys.count)
    }

    private mutating func keep(through place: Place) {
        keep(keys.indices.filter { keys[$0] > place.key || keys[$0] == place.key && $0 <= place.index })
    }

    private mutating func keep(_ kept: [Int]) {
        ids = kept.map { ids[$0] }
        keys = kept.map { keys[$0] }
        if !weights.isEmpty { weights = kept.map { weights[$0] } }
    }
}
