import CVulkan

/// A compiled compute pipeline. Its `Device` owns it, and destroys it when the device closes.
public struct Pipeline: Sendable {
    let raw: fv_pipeline
    public let module: ShaderModule
    /// Whether the driver reports that it found the pipeline in its cache.
    var wasCached: Bool { raw.cached }

    /// - Parameter cache: a `VkPipelineCache`; 0 for none.
    init(
        _ module: ShaderModule, constants: [(id: UInt32, bits: UInt32)], device: OpaquePointer, fullSubgroups: Bool,
        setsSubgroupSize: Bool, cache: UInt64
    ) throws(GPUError) {
        let words = module.words
        let ids = constants.map(\.id)
        let values = constants.map(\.bits)
        var made = fv_pipeline()
        let code = words.withUnsafeBufferPointer { words in
            ids.withUnsafeBufferPointer { ids in
                values.withUnsafeBufferPointer { values in
                    var request = fv_pipeline_request()
                    request.words = words.baseAddress
                    request.wordCount = words.count
                    request.bindingCount = UInt32(module.bindings.count)
                    request.pushConstantByteCount = UInt32(module.pushConstantByteCount)
                    request.constantIDs = ids.baseAddress
                    request.constantValues = values.baseAddress
                    request.constantCount = UInt32(ids.count)
                    // Reductions need full subgroups. Without the feature every known driver fills them anyway, since
                    // workgroups are multiples of the largest subgroup.
                    request.fullSubgroups = fullSubgroups
                    if let size = module.requiredSubgroupSize(constants), setsSubgroupSize {
                        request.requiredSubgroupSize = UInt32(size)
                    }
                    request.cache = cache
                    return fv_create_pipeline(device, &request, &made)
                }
            }
        }
        try check(code, "vkCreateComputePipelines", "kernel \(module.name)")
        raw = made
        self.module = module
    }

    /// The driver's statistics of the compiled code (registers, spills, code size, ...), by the driver's names.
    ///
    /// - Throws: `.notSupported` unless the device was opened with `captureStatistics` and offers the extension.
    public func statistics(on device: Device) throws(GPUError) -> [(name: String, value: Double)] {
        var found = [fv_statistic](repeating: fv_statistic(), count: 64)
        var count: UInt32 = 64
        let code = withUnsafePointer(to: raw) { fv_pipeline_statistics(device.handle, $0, &found, &count) }
        try check(code, "vkGetPipelineExecutableStatisticsKHR", "kernel \(module.name)")
        return found.prefix(Int(count)).map { statistic in
            (
                withUnsafeBytes(of: statistic.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) },
                statistic.value
            )
        }
    }

    /// The driver's machine code as text; nil if the driver gives none.
    ///
    /// - Throws: `.notSupported` unless the device was opened with `captureStatistics` and offers the extension.
    public func assembly(on device: Device) throws(GPUError) -> String? {
        var count = 0
        var code = withUnsafePointer(to: raw) { fv_pipeline_assembly(device.handle, $0, nil, &count) }
        try check(code, "vkGetPipelineExecutableInternalRepresentationsKHR", "kernel \(module.name)")
        guard count > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: count)
        code = withUnsafePointer(to: raw) { raw in
            bytes.withUnsafeMutableBytes { fv_pipeline_assembly(device.handle, raw, $0.baseAddress, &count) }
        }
        try check(code, "vkGetPipelineExecutableInternalRepresentationsKHR", "kernel \(module.name)")
        return String(decoding: bytes.prefix(count).prefix { $0 != 0 }, as: UTF8.self)
    }
}
