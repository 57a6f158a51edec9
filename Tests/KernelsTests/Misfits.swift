import GPU
import Testing

extension DeviceProfile: CustomTestStringConvertible {
    public var testDescription: String { name }
}

extension Dispatch {
    /// Every limit of the profile that this dispatch exceeds.
    func misfits(on profile: DeviceProfile) -> [String] {
        (bindingMisfits(on: profile) + workgroupMisfits(on: profile) + featureMisfits(on: profile))
            .map { "\(module.name): \($0)" }
    }

    private func bindingMisfits(on profile: DeviceProfile) -> [String] {
        var misfits: [String] = []
        if views.count != module.bindings.count || views.count > profile.maxBindingCount {
            misfits.append(
                "\(views.count) buffers: \(module.bindings.count) declared, at most \(profile.maxBindingCount)")
        }
        for (view, binding) in zip(views, module.bindings) {
            if view.byteCount > profile.maxStorageBufferRange {
                misfits.append("\(binding.name): \(view.byteCount) bytes, at most \(profile.maxStorageBufferRange)")
            }
            if view.byteCount % 4 != 0 { misfits.append("\(binding.name): \(view.byteCount) bytes, in steps of 4") }
            if view.offset % profile.storageBufferAlignment != 0 {
                misfits.append("\(binding.name): offset \(view.offset), in steps of \(profile.storageBufferAlignment)")
            }
        }
        let byteCount = pushConstants.count * 4
        if byteCount != module.pushConstantByteCount || byteCount > profile.maxPushConstantByteCount {
            misfits.append(
                "push constants: \(byteCount) bytes, \(module.pushConstantByteCount) declared, "
                    + "at most \(profile.maxPushConstantByteCount)")
        }
        return misfits
    }

    private func workgroupMisfits(on profile: DeviceProfile) -> [String] {
        var misfits: [String] = []
        let shared = module.sharedByteCount(constants)
        if shared > profile.maxSharedByteCount {
            misfits.append("shared memory: \(shared) bytes, at most \(profile.maxSharedByteCount)")
        }
        let size = module.workgroupSize(constants)
        let invocations = size.reduce(1, *)
        if invocations > profile.maxWorkgroupInvocations || zip(size, profile.maxWorkgroupSize).contains(where: >) {
            misfits.append(
                "a workgroup of \(size): at most \(profile.maxWorkgroupSize), \(profile.maxWorkgroupInvocations) in all"
            )
        }
        let required = module.requiredSubgroupSize(constants)
        if let required, !(profile.minSubgroupSize...profile.maxSubgroupSize).contains(required) {
            misfits.append("subgroups of \(required): \(profile.minSubgroupSize) to \(profile.maxSubgroupSize)")
        }
        // A reduction over a subgroup that is not full would include lanes that do not exist.
        let subgroup = required ?? profile.maxSubgroupSize
        if module.usesSubgroups && invocations % subgroup != 0 {
            misfits.append("a workgroup of \(size): not whole subgroups of \(subgroup)")
        }
        if case .fixed(let x, let y, let z) = groups, zip([x, y, z], profile.maxWorkgroupCount).contains(where: >) {
            misfits.append("\([x, y, z]) workgroups: at most \(profile.maxWorkgroupCount)")
        }
        return misfits
    }

    /// Capabilities of the shader that are not features of the profile. One that is not listed here is none.
    private func featureMisfits(on profile: DeviceProfile) -> [String] {
        let features: [String: Bool] = [
            "shader": true, "groupNonUniform": true, "float16": profile.hasFloat16,
            "groupNonUniformArithmetic": profile.hasSubgroupArithmetic,
            "groupNonUniformBallot": profile.hasSubgroupBallot,
            "cooperativeMatrix": !profile.matrixShapes.isEmpty, "vulkanMemoryModel": !profile.matrixShapes.isEmpty,
            "float8": profile.hasFP8Matrices, "float8CooperativeMatrix": profile.hasFP8Matrices,
        ]
        return module.capabilities.filter { features[$0] != true }.map { "capability \($0)" }
    }
}

extension ShaderModule {
    /// Whether its invocations work together in subgroups.
    fileprivate var usesSubgroups: Bool {
        capabilities.contains { $0.hasPrefix("groupNonUniform") || $0 == "cooperativeMatrix" }
    }
}
