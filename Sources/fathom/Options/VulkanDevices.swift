import GPU

/// The machine's Vulkan devices, or why there are none: which is no failure, as the CPU can do everything.
enum VulkanDevices {
    case found([DeviceProfile])
    case none(reason: String)

    static func look() throws(GPUError) -> VulkanDevices {
        do throws(GPUError) {
            let profiles = try Device.available()
            return profiles.isEmpty ? .none(reason: noDevice) : .found(profiles)
        } catch {
            switch error.result {
            case .noLoader:
                return .none(
                    reason: "the Vulkan loader (libvulkan.so.1) was not found: install it (Debian: libvulkan1)")
            // What the loader answers when no driver's manifest is there, as well as for drivers that are too old.
            case .incompatibleDriver: return .none(reason: noDevice)
            default: throw error
            }
        }
    }

    private static let noDevice = "no Vulkan 1.3 device was found: install a driver (Tools/setup does)"
}
