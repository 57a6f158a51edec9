import GPU
import Model

/// The machine's Vulkan devices, or why there are none. None is not a failure: the CPU can do everything.
enum VulkanDevices {
    case found([DeviceProfile])
    case none(reason: String)

    static func look() throws(GPUError) -> VulkanDevices {
        do throws(GPUError) {
            let profiles = try Device.available()
            return profiles.isEmpty ? .none(reason: ErrorAdvice.noDevice) : .found(profiles)
        } catch {
            switch error.result {
            case .noLoader: return .none(reason: ErrorAdvice.noLoader)
            // The loader's answer where no driver is installed, as well as for drivers that are too old.
            case .incompatibleDriver: return .none(reason: ErrorAdvice.noDevice)
            default: throw error
            }
        }
    }
}

extension DeviceChoice {
    /// The value of `--device`; an error where it calls for Vulkan and there is none.
    init(checking text: String?) throws {
        self.init(text)
        if case .vulkan = self, case .none(let reason) = try VulkanDevices.look() {
            throw CommandError("\(reason), or use --device cpu")
        }
    }
}
