import CVulkan

/// A Vulkan call that failed: which, on what, and with which result.
public struct GPUError: Error, Sendable, CustomStringConvertible {
    /// The results that callers tell apart; the rest keep their number.
    public enum Result: Sendable, Equatable {
        case noLoader, noDevice, outOfHostMemory, outOfDeviceMemory, deviceLost, incompatibleDriver, notSupported
        case timeout, other(Int32)
        /// No call failed: the choice of a device names none, or several.
        case badChoice(expected: String)

        init(_ code: Int32) {
            switch code {
            case FV_NO_LOADER: self = .noLoader
            case 2: self = .timeout
            case -1: self = .outOfHostMemory
            case -2: self = .outOfDeviceMemory
            case -4: self = .deviceLost
            case -8, -7: self = .notSupported
            case -9: self = .incompatibleDriver
            default: self = .other(code)
            }
        }
    }

    public var call: String
    public var result: Result
    /// What the call was about: a buffer's label and size, a pipeline's name, a device.
    public var object: String

    public init(call: String, result: Result, object: String) {
        self.call = call
        self.result = result
        self.object = object
    }

    public var description: String {
        let what =
            switch result {
            case .noLoader:
                "the Vulkan loader (libvulkan.so.1) was not found: install it (Debian: libvulkan1), or use --device cpu"
            case .noDevice: "no Vulkan 1.3 device was found: install a driver (Tools/setup does), or use --device cpu"
            case .outOfHostMemory: "out of host memory"
            case .outOfDeviceMemory: "out of device memory: a shorter --context or a smaller model needs less"
            case .deviceLost: "the device was lost (driver reset, or a kernel that ran too long); start again"
            case .incompatibleDriver: "the driver does not offer Vulkan 1.3; a newer one may"
            case .notSupported: "the device does not support this"
            case .timeout: "it did not finish in time"
            case .other(let code): "VkResult \(code)"
            case .badChoice(let expected): "expected \(expected)"
            }
        if case .badChoice = result { return "\(object): \(what)" }
        return "\(object): \(what) (\(call))"
    }
}

/// Throws where a call's result is not success.
func check(_ code: Int32, _ call: String, _ object: @autoclosure () -> String) throws(GPUError) {
    if code != 0 { throw GPUError(call: call, result: .init(code), object: object()) }
}
