import GPU
import Model

/// An error that ends a profile. Errors of the device and of the model keep their type.
public enum ProfilerError: Error, Equatable, CustomStringConvertible {
    case device(GPUError)
    case model(ModelError)
    /// The device has no timestamps.
    case noTimestamps(device: String)
    /// A kernel's result differs from its reference's: its time would mean nothing.
    case wrongResult(kernel: String, shape: String, failure: String)
    case interrupted

    public var description: String {
        switch self {
        case .device(let error): error.description
        case .model(let error): error.description
        case .noTimestamps(let device):
            "\(device): expected timestamps in compute queues, found none: this device cannot be profiled"
        case .wrongResult(let kernel, let shape, let failure):
            "\(kernel), \(shape): the result differs from the reference's: \(failure)"
        case .interrupted: "interrupted"
        }
    }
}
