/// One dispatch of a shader as a value, which `Commands` records or lists.
public struct Dispatch: Sendable {
    public enum Groups: Sendable {
        case fixed(Int, Int, Int)
        /// Read when the dispatch runs: three U32 at the view's start.
        case indirect(BufferView)
    }

    public let module: ShaderModule
    public let constants: [(id: UInt32, bits: UInt32)]
    public let pushConstants: [UInt32]
    /// In binding order.
    public let views: [BufferView]
    /// The number of workgroups.
    public var groups: Groups

    public init(
        module: ShaderModule, constants: [(id: UInt32, bits: UInt32)], pushConstants: [UInt32], views: [BufferView],
        groups: Groups
    ) {
        self.module = module
        self.constants = constants
        self.pushConstants = pushConstants
        self.views = views
        self.groups = groups
    }

    init<Shader: ComputeShader>(_ shader: Shader, _ groups: Groups) {
        self.init(
            module: Shader.module, constants: shader.constants.words, pushConstants: shader.pushConstantWords,
            views: shader.views, groups: groups)
    }

    /// The buffer ranges that the dispatch reads and writes, according to its shader's qualifiers.
    public var accesses: [(view: BufferView, access: Access)] {
        var accesses = zip(views, module.bindings).map { (view: $0, access: $1.access) }
        if case .indirect(let view) = groups { accesses.append((view, .read)) }
        return accesses
    }

    /// - Throws: `.notSupported` if the device of this profile does not take so many workgroups or so large a binding.
    func check(_ profile: DeviceProfile) throws(GPUError) {
        switch groups {
        case .fixed(let x, let y, let z):
            precondition(x > 0 && y > 0 && z > 0, "\(module.name): \((x, y, z)) workgroups")
            let most = profile.maxWorkgroupCount
            guard x <= most[0], y <= most[1], z <= most[2] else {
                throw GPUError(
                    call: "vkCmdDispatch", result: .notSupported,
                    object: "kernel \(module.name): \((x, y, z)) workgroups where the device takes \(most)")
            }
        case .indirect(let view):
            precondition(
                view.byteCount >= 12 && view.offset % 4 == 0, "\(view.allocation.label): workgroups at \(view.offset)")
        }
        for (view, binding) in zip(views, module.bindings) {
            precondition(
                view.offset % profile.storageBufferAlignment == 0,
                "\(module.name): \(binding.name) starts at \(view.offset), not a multiple of \(profile.storageBufferAlignment)"
            )
            guard view.byteCount <= profile.maxStorageBufferRange else {
                throw GPUError(
                    call: "vkUpdateDescriptorSets", result: .notSupported,
                    object:
                        "kernel \(module.name): \(binding.name) of \(view.byteCount) bytes where the device binds \(profile.maxStorageBufferRange)"
                )
            }
        }
    }
}

/// A pipeline that a dispatch needs: the arguments of `Device.pipeline(for:constants:)`.
public struct NeededPipeline: Sendable {
    public let module: ShaderModule
    public let constants: [(id: UInt32, bits: UInt32)]

    var key: PipelineKey { PipelineKey(name: module.name, hash: module.hash, constants: constants.map(\.bits)) }
}

extension [Dispatch] {
    /// The dispatches' pipelines, each once, in order of first need.
    public var neededPipelines: [NeededPipeline] {
        var known: Set<PipelineKey> = []
        return map { NeededPipeline(module: $0.module, constants: $0.constants) }
            .filter { known.insert($0.key).inserted }
    }
}
