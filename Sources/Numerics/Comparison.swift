/// 1 − 2·Σxy / Σ(x² + y²), in double precision: 0 for equal vectors, 1 for orthogonal ones, 2 for opposite ones.
///
/// Unlike the cosine distance, it detects a wrong scale; unlike the largest error, it does not depend on one element
/// only. Returns 0 if all values are 0, and infinity if any value is infinite or NaN, so that no tolerance accepts it.
public func similarityDistance(_ x: some Collection<Float>, _ y: some Collection<Float>) -> Double {
    precondition(x.count == y.count, "comparing \(x.count) values with \(y.count)")
    // Computed as Σ(x−y)² / Σ(x²+y²), which is equal but loses no digits if the vectors are nearly equal.
    var differences = 0.0
    var squares = 0.0
    for (x, y) in zip(x, y) {
        let (x, y) = (Double(x), Double(y))
        differences += (x - y) * (x - y)
        squares += x * x + y * y
    }
    guard squares.isFinite else { return .infinity }
    return squares == 0 ? 0 : differences / squares
}

/// The errors of computed values against expected ones.
public struct Comparison: Sendable, Equatable {
    /// Index of the largest absolute error. An unexpected NaN or infinity counts as an infinite error; the first one
    /// wins.
    public var worstIndex: Int
    /// The expected value at `worstIndex`.
    public var expected: Float
    /// The computed value at `worstIndex`.
    public var found: Float
    /// The largest |found − expected|; infinity if one is NaN.
    public var maxAbsoluteError: Float
    /// The largest |found − expected| / |expected| over elements with |expected| above `relativeFloor`.
    public var maxRelativeError: Float
    /// `similarityDistance` of all values.
    public var distance: Double

    /// Compares element by element. Traps if the counts differ or are 0.
    ///
    /// - Parameter relativeFloor: the relative error ignores elements whose expected magnitude is not above this.
    public init(expected: [Float], found: [Float], relativeFloor: Float = 0) {
        precondition(
            expected.count == found.count && !found.isEmpty, "comparing \(expected.count) values with \(found.count)")
        worstIndex = 0
        maxAbsoluteError = 0
        maxRelativeError = 0
        for index in expected.indices {
            let error = Self.error(expected[index], found[index])
            if error > maxAbsoluteError {
                maxAbsoluteError = error
                worstIndex = index
            }
            if expected[index].magnitude > relativeFloor {
                let relative = error / expected[index].magnitude
                maxRelativeError = max(maxRelativeError, relative.isNaN ? .infinity : relative)
            }
        }
        self.expected = expected[worstIndex]
        self.found = found[worstIndex]
        distance = similarityDistance(expected, found)
    }

    private static func error(_ expected: Float, _ found: Float) -> Float {
        if expected == found { return 0 }
        let error = (found - expected).magnitude
        return error.isNaN ? .infinity : error
    }
}

extension Comparison: CustomStringConvertible {
    public var description: String {
        "worst at \(worstIndex): expected \(expected), found \(found); largest error \(maxAbsoluteError) absolute, \(maxRelativeError) relative; distance \(distance)"
    }
}
