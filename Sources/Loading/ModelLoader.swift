import Cache
import Checkpoint
import GPU
import Model
import Numerics
import Program

/// Opens a checkpoint, or makes a model without one, and brings it to a device.
public enum ModelLoader {
    /// - Parameter progress: told as tensors arrive; false stops the loading with an error.
    /// - Throws: what is wrong with the checkpoint, the options or the device. A model that does not fit is refused
    ///   before anything is allocated.
    public static func load(
        source: CheckpointSource, device choice: DeviceChoice, options: LoadOptions,
        progress: @escaping (LoadProgress) -> Bool = { _ in true }
    ) throws(ModelError) -> LoadedModel {
        let checkpoint = try readingCheckpoint { () throws(CheckpointError) in try Checkpoint(source) }
        return try load(checkpoint, device: choice, options: options, progress: progress)
    }

    /// Makes a model of random weights where it is to run. The rest is as for a checkpoint.
    public static func load(
        synthetic model: SyntheticModel, device choice: DeviceChoice, options: LoadOptions,
        progress: @escaping (LoadProgress) -> Bool = { _ in true }
    ) throws(ModelError) -> LoadedModel {
        try load(SyntheticWeights(model), device: choice, options: options, progress: progress)
    }

    private static func load(
        _ source: any WeightSource, device choice: DeviceChoice, options: LoadOptions,
        progress: @escaping (LoadProgress) -> Bool
    ) throws(ModelError) -> LoadedModel {
        guard case .vulkan(let name) = choice else {
            return try load(source, on: nil, options: options, progress: progress)
        }
        let device: Device
        do throws(GPUError) {
            device = try Device.open(
                name, captureStatistics: options.captureStatistics, pipelineCache: options.pipelineCache)
        } catch {
            throw .device(error)
        }
        options.prepareDevice(device)
        return try load(source, on: device, options: options, progress: progress)
    }

    /// - Parameter device: nil for the reference on the CPU.
    static func load(
        _ source: any WeightSource, on device: Device?, options: LoadOptions,
        progress: @escaping (LoadProgress) -> Bool = { _ in true }
    ) throws(ModelError) -> LoadedModel {
        let config = source.config
        let context = options.contextTokens ?? min(config.maxPositionEmbeddings, LoadOptions.defaultContextTokens)
        guard context <= config.maxPositionEmbeddings else {
            throw .option(
                name: "context",
                expected: "at most \(config.maxPositionEmbeddings), the model's max_position_embeddings",
                found: "\(context)")
        }
        if options.activations == .fp8, !config.isFP8 {
            throw .option(
                name: "activations", expected: "f32 for a checkpoint without FP8 weights", found: "fp8")
        }
        if let device { try checkCache(config, context, options.kvFormat, device.profile) }
        var notes = source.notes
        let planner = try planner(source, context, options, on: device, notes: &notes)
        let plan = try planner.plan(contextLength: context)
        return try load(source, planner, plan, options, on: device, notes: notes, progress: progress)
    }

    /// Allocates the planned memory and fills it.
    private static func load(
        _ source: any WeightSource, _ planner: MemoryPlanner, _ plan: MemoryPlan, _ options: LoadOptions,
        on device: Device?, notes: [String], progress: @escaping (LoadProgress) -> Bool
    ) throws(ModelError) -> LoadedModel {
        let memory: any ModelMemory
        let cacheMemory: any ModelMemory
        let scratch: ScratchMemory
        let interpreter: () -> any Interpreter
        if let device {
            // While the weights come.
            device.preparePipelines(
                try planner.neededPipelines(contextLength: plan.contextLength, on: device))
            memory = DeviceMemory(on: device, onHost: options.check, plannedChunks: planner.weightChunks)
            let chunks = try planner.transformer(contextLength: plan.contextLength).cache.chunks
            cacheMemory = DeviceMemory(on: device, onHost: options.check, plannedChunks: chunks)
            let slots = options.check ? ScratchMemory.both(device) : ScratchMemory.device(device)
            scratch = slots
            interpreter =
                options.check
                ? { CheckedInterpreter(on: device, scratch: slots) } : { DeviceInterpreter(on: device, scratch: slots) }
        } else {
            (memory, cacheMemory) = (HostMemory(), HostMemory())
            let slots = ScratchMemory.host()
            scratch = slots
            interpreter = { ReferenceInterpreter(scratch: slots) }
        }
        var loader = try WeightLoader(
            source: source, memory: memory, profile: device?.profile, totalByteCount: planner.readByteCount,
            progress: progress)
        let weights = try loader.model(predicts: planner.predicts)
        let transformer = try Transformer(
            planner.config, weights, contextLength: plan.contextLength, options.kvFormat, options.activations,
            in: cacheMemory, on: device)
        do throws(GPUError) {
            try scratch.reserve(byteCount: plan.scratch)
            try memory.settle()
        } catch {
            throw .device(error)
        }
        return LoadedModel(
            transformer, notes: notes, contextLength: plan.contextLength, device: device,
            memory: [memory, cacheMemory], scratch: scratch, interpreter: interpreter)
    }

    /// The longest context that the model and the device (nil: the CPU) allow: a layer's cache is one binding.
    static func largestContext(
        _ config: ModelConfig, _ format: CacheLayout.Format, _ profile: DeviceProfile?
    ) -> Int {
        guard let profile else { return config.maxPositionEmbeddings }
        let layout = CacheLayout(
            format: format, kvLoraRank: config.kvLoraRank, qkRopeHeadDim: config.qkRopeHeadDim)
        return min(
            layout.largestContext(bindingByteCount: profile.maxStorageBufferRange), config.maxPositionEmbeddings)
    }

    private static func checkCache(
        _ config: ModelConfig, _ context: Int, _ format: CacheLayout.Format, _ profile: DeviceProfile
    ) throws(ModelError) {
        let most = largestContext(config, format, profile)
        guard context > most else { return }
        throw .option(
            name: "context",
            expected: "at most \(most) with a cache in \(format.rawValue), of which \(profile.name) binds "
                + "\(byteText(profile.maxStorageBufferRange)) at once",
            found: "\(context)")
    }

    /// Compares the plan with the memory there is. The multi-token prediction is left out, with a note, where the model fits
    /// without it only.
    private static func planner(
        _ source: any WeightSource, _ context: Int, _ options: LoadOptions, on device: Device?, notes: inout [String]
    ) throws(ModelError) -> MemoryPlanner {
        func planner(_ predicts: Bool) throws(ModelError) -> MemoryPlanner {
            try MemoryPlanner(
                source, kvFormat: options.kvFormat, activations: options.activations, predicts: predicts, on: device)
        }
        let whole = try planner(source.hasMTP)
        let plan = try whole.plan(contextLength: context)
        let host = MemoryPlan.Place.host
        let place = device.map { MemoryPlan.Place($0.profile) } ?? host
        guard plan.total > place.budget else { return whole }
        if source.hasMTP {
            let lesser = try planner(false)
            let less = try lesser.plan(contextLength: context)
            if less.total <= place.budget {
                notes.append(
                    "the multi-token prediction layer (\(byteText(plan.total - less.total))) is left out: the model fits "
                        + "without it only")
                return lesser
            }
        }
        let profiles = try onDevice { () throws(GPUError) in device == nil ? [] : try Device.available() }
        let others = profiles.map { MemoryPlan.Place($0) } + [host]
        throw .doesNotFit(
            plan.shortage(
                at: place, others: others.filter { $0 != place },
                largestContext: try whole.largestContext(within: place.budget, below: context)))
    }
}

extension MemoryPlan.Place {
    static var host: MemoryPlan.Place {
        MemoryPlan.Place(choice: "cpu", name: "the host's memory", budget: SystemMemory.available())
    }

    /// A device's own memory: the largest such heap's budget.
    init(_ profile: DeviceProfile) {
        self.init(
            choice: "\(profile.index)", name: profile.name,
            budget: profile.heaps.filter(\.isDeviceLocal).map(\.budget).max() ?? 0)
    }
}
