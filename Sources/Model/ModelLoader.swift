import Checkpoint
import GPU
import Numerics

/// Opens a checkpoint, or makes a model without one, and brings it to a device.
public enum ModelLoader {
    /// - Parameter progress: told as tensors arrive; false stops the loading with an error.
    /// - Throws: what is wrong with the checkpoint, the options or the device. A model that does not fit is refused
    ///   before anything is allocated.
    public static func load(
        source: CheckpointSource, device choice: DeviceChoice, options: LoadOptions,
        progress: @escaping (LoadProgress) -> Bool = { _ in true }
    ) throws(ModelError) -> Transformer {
        let checkpoint: Checkpoint
        do throws(CheckpointError) { checkpoint = try Checkpoint(source) } catch { throw .failed(error.description) }
        return try load(checkpoint, device: choice, options: options, progress: progress)
    }

    /// Makes a model of random weights where it is to run. The rest is as for a checkpoint.
    public static func load(
        synthetic model: SyntheticModel, device choice: DeviceChoice, options: LoadOptions,
        progress: @escaping (LoadProgress) -> Bool = { _ in true }
    ) throws(ModelError) -> Transformer {
        try load(SyntheticWeights(model), device: choice, options: options, progress: progress)
    }

    private static func load(
        _ source: any WeightSource, device choice: DeviceChoice, options: LoadOptions,
        progress: @escaping (LoadProgress) -> Bool
    ) throws(ModelError) -> Transformer {
        let config = source.config
        let context = options.contextTokens ?? min(config.maxPositionEmbeddings, LoadOptions.defaultContextTokens)
        guard context <= config.maxPositionEmbeddings else {
            throw .failed(
                "--context \(context): expected at most \(config.maxPositionEmbeddings), the model's max_position_embeddings"
            )
        }
        if options.activations == .fp8, !config.isFP8 {
            throw .failed(
                "--activations fp8: expected FP8 weights, whose products it is for; the checkpoint has none")
        }
        var device: Device?
        if case .vulkan(let name) = choice {
            do throws(GPUError) {
                device = try Device.open(
                    name, captureStatistics: options.captureStatistics, pipelineCache: options.pipelineCache)
            } catch {
                throw .failed(error.description)
            }
        }
        if let device { options.prepareDevice(device) }
        if let device { try checkCache(config, context, options.kvFormat, device.profile) }
        var notes = source.notes
        let (predicts, byteCount) = try fits(source, context, options, on: device, notes: &notes)
        if let device {
            // While the weights come.
            device.preparePipelines(
                try Transformer.neededPipelines(source, options, contextLength: context, on: device))
        }
        let executor = try Executor(device: device, check: options.check)
        var loader = try WeightLoader(
            source: source, memory: executor.memory, profile: device?.profile, totalByteCount: byteCount,
            progress: progress)
        let weights = try loader.model(predicts: predicts)
        try executor.settle()
        return try Transformer(
            config: config, notes: notes, weights: weights, executor: executor, contextLength: context,
            kvFormat: options.kvFormat, activations: options.activations)
    }

    /// The longest context that the model and the device (nil: the CPU) allow: a layer's cache is one binding.
    static func largestContext(
        _ config: ModelConfig, _ format: LoadOptions.CacheFormat, _ profile: DeviceProfile?
    ) -> Int {
        guard let profile else { return config.maxPositionEmbeddings }
        let entry = (config.kvLoraRank + config.qkRopeHeadDim) * format.elementType.byteCount
        let most = profile.maxStorageBufferRange / (entry * PagedCache.pageTokenCount) * PagedCache.pageTokenCount
        return min(most, config.maxPositionEmbeddings)
    }

    private static func checkCache(
        _ config: ModelConfig, _ context: Int, _ format: LoadOptions.CacheFormat, _ profile: DeviceProfile
    ) throws(ModelError) {
        let most = largestContext(config, format, profile)
        guard context > most else { return }
        throw .failed(
            "--context \(context): expected at most \(most) with --kv-cache \(format.rawValue), what "
                + "\(profile.name) binds at once (\(byteText(profile.maxStorageBufferRange)))")
    }

    /// Compares the plan with the memory there is. Returns whether the multi-token prediction is loaded (it is left
    /// out, with a note, where the model fits without it only) and how many bytes are to be read.
    private static func fits(
        _ source: any WeightSource, _ context: Int, _ options: LoadOptions, on device: Device?, notes: inout [String]
    ) throws(ModelError) -> (predicts: Bool, byteCount: Int) {
        let planner = try MemoryPlanner(
            source, kvFormat: options.kvFormat, activations: options.activations, predicts: source.hasMTP, on: device)
        let plan = try planner.plan(contextLength: context)
        let host = MemoryPlan.Place.host
        let place = device.map { MemoryPlan.Place($0.profile) } ?? host
        guard plan.total > place.budget else { return (source.hasMTP, planner.readByteCount) }
        if source.hasMTP {
            let lesser = try MemoryPlanner(
                source, kvFormat: options.kvFormat, activations: options.activations, predicts: false, on: device)
            let less = try lesser.plan(contextLength: context)
            if less.total <= place.budget {
                notes.append(
                    "the multi-token prediction layer (\(byteText(plan.total - less.total))) is left out: the model fits "
                        + "without it only")
                return (false, lesser.readByteCount)
            }
        }
        let profiles: [DeviceProfile]
        do throws(GPUError) { profiles = device == nil ? [] : try Device.available() } catch {
            throw .failed(error.description)
        }
        let others = profiles.map { MemoryPlan.Place($0) } + [host]
        throw .failed(
            plan.refusal(
                at: place, others: others.filter { $0 != place },
                largestContext: try planner.largestContext(within: place.budget, below: context)))
    }
}

extension MemoryPlan.Place {
    static var host: MemoryPlan.Place {
        MemoryPlan.Place(choice: "cpu", name: "the host's memory", budget: HostMemory.available())
    }

    /// A device's own memory: the largest such heap's budget.
    init(_ profile: DeviceProfile) {
        self.init(
            choice: "\(profile.index)", name: profile.name,
            budget: profile.heaps.filter(\.isDeviceLocal).map(\.budget).max() ?? 0)
    }
}
