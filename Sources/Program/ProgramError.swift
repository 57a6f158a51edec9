import GPU

/// What can go wrong while a program runs.
public enum ProgramError: Error, Sendable, Equatable {
    case device(GPUError)
    case disagreement(Disagreement)
}

/// A kernel whose results on the device are not its reference's.
public struct Disagreement: Sendable, Equatable, CustomStringConvertible {
    /// "layer 3"
    public var place: String
    public var kernel: String
    /// The first wrong element, what was expected and what was found.
    public var failure: String

    public init(place: String, kernel: String, failure: String) {
        self.place = place
        self.kernel = kernel
        self.failure = failure
    }

    public var description: String { "\(place): kernel \(kernel) parts from its reference: \(failure)" }
}

/// Runs device calls within this module's errors.
func onDevice<R: ~Copyable>(_ body: () throws(GPUError) -> R) throws(ProgramError) -> R {
    do throws(GPUError) { return try body() } catch { throw .device(error) }
}
