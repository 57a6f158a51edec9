import GPU
import Model

/// What stops a profile.
public enum ProfilerError: Error, CustomStringConvertible {
    case device(GPUError)
    case model(ModelError)
    /// The device has no timestamps.
    case noTimestamps(device: String)
    /// A kernel's result is not its reference's: there is nothing to time.
    case wrongResult(kernel: String, shape: String, failure: String)
    case interrupted

    public var description: String {
        switch self {
        case .device(let error): error.description
        case .model(let error): "\(error)"
        case .noTimestamps(let device):
            "\(device): expected timestamps in compute queues, found none: this device cannot be profiled"
        case .wrongResult(let kernel, let shape, let failure):
            "\(kernel), \(shape): the result differs from the reference's: \(failure): run fathom selftest \(kernel)"
        case .interrupted: "interrupted"
        }
    }
}
