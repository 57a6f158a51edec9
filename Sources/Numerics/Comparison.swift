/// 1 − 2·Σxy / Σ(x² + y²), in double precision: 0 for equal vectors, 1 for orthogonal ones, 2 for opposite ones.
///
/// Unlike a cosine it also sees a wrong scale, and unlike a largest error it does not depend on the worst element alone.
/// It is 0 where all values are 0, and infinity where any value is infinite or NaN: no comparison with a tolerance lets
/// that pass.
public func similarityDistance(_ x: some Collection<Float>, _ y: some Collection<Float>) -> Double {
    precondition(x.count == y.count, "comparing \(x.count) values with \(y.count)")
    // The same number is Σ(x−y)² / Σ(x²+y²), which keeps its digits where the vectors are nearly equal.
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

/// How far found values lie from expected ones.
public struct Comparison: Sendable, Equatable {
    /// Index of the largest absolute error; the first NaN or infinity that is not expected counts as larger than any number.
    public var worstIndex: Int
    /// The two values there.
    public var expected: Float
    public var found: Float
    /// The largest |found − expected|; infinity where a value is not a number.
    public var maxAbsoluteError: Float
    /// The largest |found − expected| / |expected| over elements with |expected| above `relativeFloor`.
    public var maxRelativeError: Float
    /// `similarityDistance` of the two.
    public var distance: Double

    /// Compares element by element; both hold the same number of values, at least one.
    ///
    /// - Parameter relativeFloor: elements no larger than this do not count for the relative error.
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
