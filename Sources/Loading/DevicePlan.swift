import Cache
import Checkpoint
import GPU
import Model

/// What a model would take of a place's memory, and what fits there: known from the files' headers, nothing allocated.
public struct DevicePlan: Sendable, Equatable {
    /// With one format of the cache.
    public struct Option: Sendable, Equatable {
        public let kvFormat: CacheLayout.Format
        /// The longest context that fits, in whole pages or the model's most; 0 if none does.
        public let largestContext: Int
        /// Whether the multi-token prediction is counted: it is left out where the rest fits without it only.
        public let predicts: Bool
        /// Tokens that the bytes below are for: the largest context, or what is loaded by default where none fits.
        public let contextLength: Int
        public let weights, cache, scratch: Int

        public var total: Int { weights + cache + scratch }
    }

    /// As `--device` takes it.
    public let choice: String
    public let name: String
    /// Bytes that can still be allocated.
    public let budget: Int
    public let options: [Option]

    /// - Parameters:
    ///   - choice: where the model would run.
    ///   - prepareDevice: as in `LoadOptions`.
    public init(
        _ checkpoint: Checkpoint, on choice: DeviceChoice, prepareDevice: (Device) -> Void = { _ in }
    ) throws(ModelError) {
        guard case .vulkan(let name) = choice else {
            self = try DevicePlan(checkpoint, at: .host)
            return
        }
        let device = try onDevice { () throws(GPUError) in try Device.open(name) }
        prepareDevice(device)
        self = try DevicePlan(checkpoint, at: MemoryPlan.Place(device.profile), device)
    }

    init(_ checkpoint: Checkpoint, at place: MemoryPlan.Place, _ device: Device? = nil) throws(ModelError) {
        (choice, name, budget) = (place.choice, place.name, place.budget)
        let rest = try MemoryPlanner(checkpoint, kvFormat: .f32, predicts: false, on: device)
        // Counting takes a while for 91,000 tensors: nothing is added to what does not fit.
        var planners = [(predicts: false, rest)]
        if checkpoint.hasMTP, rest.weightByteCount <= budget {
            let whole = try MemoryPlanner(checkpoint, kvFormat: .f32, predicts: true, on: device)
            planners.insert((predicts: true, whole), at: 0)
        }
        var options: [Option] = []
        for format in [CacheLayout.Format.f32, .bf16] {
            let most = ModelLoader.largestContext(checkpoint.config, format, device?.profile)
            for (predicts, var planner) in planners {
                planner.kvFormat = format
                let largest = try planner.largestContext(within: budget, upTo: most)
                if largest == 0, predicts { continue }
                let length = largest > 0 ? largest : min(most, LoadOptions.defaultContextTokens)
                let plan = try planner.plan(contextLength: length)
                options.append(
                    Option(
                        kvFormat: format, largestContext: largest, predicts: predicts, contextLength: length,
                        weights: plan.weights, cache: plan.cache, scratch: plan.scratch))
                break
            }
        }
        self.options = options
    }
}
