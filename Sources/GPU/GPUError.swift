import CVulkan

/// A Vulkan call that failed, or a device that lacks a requested property.
public struct GPUError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The results that callers distinguish; all others keep their number.
    public enum Result: Sendable, Equatable {
        case noLoader, noDevice, outOfHostMemory, outOfDeviceMemory, deviceLost, incompatibleDriver, notSupported
        case timeout, other(Int32)
        /// No device has the index or name asked for. `devices`: the available devices, as "index: name".
        case unknownDevice(devices: [String])
        /// Different devices match the name asked for. `devices`: the matching ones, as "index: name".
        case ambiguousDevice(devices: [String])

        /// - Parameter code: a `VkResult`, or the shim's own code.
        init(_ code: Int32) {
            switch code {
            case FV_NO_LOADER: self = .noLoader
            case VkResult.timeout: self = .timeout
            case VkResult.outOfHostMemory: self = .outOfHostMemory
            case VkResult.outOfDeviceMemory: self = .outOfDeviceMemory
            case VkResult.deviceLost: self = .deviceLost
            case VkResult.extensionNotPresent, VkResult.featureNotPresent: self = .notSupported
            case VkResult.incompatibleDriver: self = .incompatibleDriver
            default: self = .other(code)
            }
        }
    }

    public var call: String
    public var result: Result
    /// The object of the call: a buffer's label and size, a pipeline's name, a device.
    public var object: String

    public init(call: String, result: Result, object: String) {
        self.call = call
        self.result = result
        self.object = object
    }

    public var description: String {
        let message =
            switch result {
            case .noLoader: "the Vulkan loader (libvulkan.so.1) was not found"
            case .noDevice: "no Vulkan 1.3 device was found"
            case .outOfHostMemory: "out of host memory"
            case .outOfDeviceMemory: "out of device memory"
            case .deviceLost: "the device was lost (driver reset, or a kernel that ran too long)"
            case .incompatibleDriver: "the driver does not offer Vulkan 1.3"
            case .notSupported: "the device does not support this"
            case .timeout: "it did not finish in time"
            case .other(let code): "VkResult \(code)"
            case .unknownDevice(let devices): "expected one of \(devices.joined(separator: ", "))"
            case .ambiguousDevice(let devices):
                "expected one device, found several: \(devices.joined(separator: ", "))"
            }
        switch result {
        case .unknownDevice, .ambiguousDevice: return "device \(object): \(message)"
        default: return "\(object): \(message) (\(call))"
        }
    }
}

/// The `VkResult`s with a case of their own (Vulkan specification, "Return Codes").
enum VkResult {
    static let timeout: Int32 = 2
    static let outOfHostMemory: Int32 = -1
    static let outOfDeviceMemory: Int32 = -2
    static let deviceLost: Int32 = -4
    static let extensionNotPresent: Int32 = -7
    static let featureNotPresent: Int32 = -8
    static let incompatibleDriver: Int32 = -9
}

/// Throws where a call's result is not success.
func check(_ code: Int32, _ call: String, _ object: @autoclosure () -> String) throws(GPUError) {
    if code != 0 { throw GPUError(call: call, result: .init(code), object: object()) }
}
