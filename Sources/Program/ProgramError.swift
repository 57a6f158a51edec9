import GPU

/// An error while a program runs.
public enum ProgramError: Error, Sendable, Equatable {
    case device(GPUError)
    /// A kernel's result on the device differs from its reference's. `place`: "layer 3"; `failure`: the first wrong
    /// element, the expected value and the value found.
    case disagreement(place: String, kernel: String, failure: String)
}

/// Runs device calls within this module's errors.
func onDevice<R: ~Copyable>(_ body: () throws(GPUError) -> R) throws(ProgramError) -> R {
    do throws(GPUError) { return try body() } catch { throw .device(error) }
}
