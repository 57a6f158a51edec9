import GPU

/// The machine's Vulkan devices, or why there are none: which is no failure, as the CPU can do everything.
enum VulkanDevices {
    case found([DeviceProfile])
    case none(reason: String)

    static func look() throws(GPUError) -> VulkanDevices {
        do throws(GPUError) {
            let profiles = try Device.available()
            return profiles.isEmpty ? .none(reason: noDriver) : .found(profiles)
        } catch {
            switch error.result {
            case .noLoader:
                return .none(
                    reason: "the Vulkan loader (libvulkan.so.1) was not found: install it (Debian: libvulkan1)")
            // What the loader answers when no driver's manifest is there, as well as for drivers that are too old.
            case .incompatibleDriver: return .none(reason: noDriver)
            default: throw error
            }
        }
    }

    private static let noDriver = "no driver with Vulkan 1.3 was found: install one (Tools/setup does)"
}
