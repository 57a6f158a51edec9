/// Σx², with eight partial sums: the compiler may not reorder, and so not vectorise, a single floating-point sum.
func sumOfSquares(_ values: UnsafePointer<Float>, count: Int) -> Double {
    var sums = SIMD8<Float>()
    var index = 0
    while index + 8 <= count {
        let some = UnsafeRawPointer(values + index).loadUnaligned(as: SIMD8<Float>.self)
        sums += some * some
        index += 8
    }
    var sum = 0.0
    for lane in 0..<8 { sum += Double(sums[lane]) }
    while index < count {
        sum += Double(values[index] * values[index])
        index += 1
    }
    // A square exceeds FP32's range: sums in double precision.
    return sum.isFinite ? sum : (0..<count).reduce(0) { $0 + Double(values[$1]) * Double(values[$1]) }
}

/// The bits of the largest magnitude; larger than the bits of infinity if a value is NaN.
func largestMagnitude(_ values: UnsafePointer<Float>, count: Int) -> UInt32 {
    var largest: Int32 = 0
    for index in 0..<count {
        let bits = Int32(bitPattern: values[index].bitPattern & 0x7FFF_FFFF)
        largest = bits > largest ? bits : largest
    }
    return UInt32(bitPattern: largest)
}

/// Accumulates the sum of squares and the largest magnitude in one pass, eight values at a time.
struct Magnitudes {
    private var sums = SIMD8<Float>()
    private var most = SIMD8<Float>()

    @inline(__always)
    mutating func add(_ values: UnsafePointer<Float>, count: Int) {
        var index = 0
        while index + 8 <= count {
            add(UnsafeRawPointer(values + index).loadUnaligned(as: SIMD8<Float>.self))
            index += 8
        }
        guard index < count else { return }
        var rest = SIMD8<Float>()
        for lane in 0..<count - index { rest[lane] = values[index + lane] }
        add(rest)
    }

    @inline(__always)
    private mutating func add(_ some: SIMD8<Float>) {
        sums += some * some
        let magnitudes = unsafeBitCast(
            unsafeBitCast(some, to: SIMD8<UInt32>.self) & 0x7FFF_FFFF, to: SIMD8<Float>.self)
        most.replace(with: magnitudes, where: magnitudes .> most)
    }

    /// The largest magnitude since the last call; ignores NaN.
    @inline(__always)
    mutating func takeLargest() -> Float {
        var (four, other) = (most.lowHalf, most.highHalf)
        four.replace(with: other, where: other .> four)
        var two = four.lowHalf
        other.lowHalf = four.highHalf
        two.replace(with: other.lowHalf, where: other.lowHalf .> two)
        most = SIMD8()
        return two.x > two.y ? two.x : two.y
    }

    /// Σx². Not finite if a value is not finite or a partial sum exceeds FP32's range.
    var squares: Double { (0..<8).reduce(0) { $0 + Double(sums[$1]) } }
}
