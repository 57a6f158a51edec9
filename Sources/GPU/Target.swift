/// A device that kernels choose their variants for.
public protocol Target: Sendable {
    var profile: DeviceProfile { get }
    var chosenVariants: ChosenVariants { get }
}

extension Device: Target {}

/// A device that need not be present: its dispatches can be listed, not run.
public struct AbsentDevice: Target {
    public let profile: DeviceProfile
    public let chosenVariants = ChosenVariants()

    public init(_ profile: DeviceProfile) { self.profile = profile }
}
