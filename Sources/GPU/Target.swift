/// A device that kernels choose their variants for.
public protocol Target: Sendable {
    var profile: DeviceProfile { get }
    var chosenVariants: ChosenVariants { get }
}

extension Device: Target {}

/// A device that this machine may not have: its dispatches can be listed but not run.
public struct AbsentDevice: Target {
    public let profile: DeviceProfile
    public let chosenVariants = ChosenVariants()

    public init(_ profile: DeviceProfile) { self.profile = profile }
}
