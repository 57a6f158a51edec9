import Cache
import Checkpoint
import GPU
import Kernels
import Model
import Numerics
import Program

/// What a model allocates, in bytes, known before anything is allocated.
struct MemoryPlan: Equatable {
    /// Those of the multi-token prediction included.
    var weights: Int
    var cache: Int
    /// Intermediate values of the largest step.
    var scratch: Int
    /// Tokens of prompt and answer together.
    var contextLength: Int

    var total: Int { weights + cache + scratch }

    typealias Place = MemoryPlace

    /// The error of loading the model at a place where it does not fit.
    ///
    /// - Parameter largestContext: the longest context that fits there; 0 if none does.
    func shortage(at place: Place, others: [Place], largestContext: Int) -> MemoryShortage {
        MemoryShortage(
            place: place, weights: weights, cache: cache, scratch: scratch, contextLength: contextLength,
            largestContext: largestContext, roomierPlaces: others.filter { $0.budget >= total })
    }
}

/// Makes plans from the programs of the largest steps, so that plan and model cannot disagree.
struct MemoryPlanner {
    let config: ModelConfig
    var kvFormat: CacheLayout.Format
    let activations: ActivationFormat
    /// Whether the multi-token prediction is loaded.
    let predicts: Bool
    private let device: Device?
    private let weights: ModelWeights
    let weightByteCount: Int
    /// See `PlannedMemory.chunks`.
    let weightChunks: [Int]
    /// Bytes that loading reads of the source.
    let readByteCount: Int

    /// - Parameter device: where the model would run; nil for the reference on the host.
    init(
        _ source: any WeightSource, kvFormat: CacheLayout.Format, activations: ActivationFormat = .f32,
        predicts: Bool, on device: Device? = nil
    ) throws(ModelError) {
        config = source.config
        self.kvFormat = kvFormat
        self.activations = activations
        self.predicts = predicts
        self.device = device
        let memory = PlannedMemory(for: device)
        var loader = try WeightLoader(source: source, memory: memory, profile: device?.profile)
        weights = try loader.model(predicts: predicts)
        weightByteCount = memory.byteCount
        weightChunks = memory.chunks
        readByteCount = loader.sourceByteCount
    }

    /// The model without memory, and the memory of its caches.
    func transformer(contextLength: Int) throws(ModelError) -> (transformer: Transformer, cache: PlannedMemory) {
        let memory = PlannedMemory(for: device)
        let transformer = try Transformer(
            config, weights, contextLength: contextLength, kvFormat, activations, in: memory, on: device)
        return (transformer, memory)
    }

    func plan(contextLength: Int) throws(ModelError) -> MemoryPlan {
        let (transformer, cache) = try transformer(contextLength: contextLength)
        let shapes = StepLimits(transformer, contextLength: contextLength).largestShapes(of: transformer)
        let brief = transformer.withoutRepeatedLayers
        var scratch = 0
        for shape in shapes {
            let program = brief.forward(shape)
            if let profile = device?.profile, let slot = program.slotBeyondBinding(of: profile) {
                throw .tooLargeToBind(
                    tensor: slot.label, byteCount: slot.byteCount, limit: profile.maxStorageBufferRange,
                    device: profile.name)
            }
            scratch = max(scratch, program.slots.byteCount)
        }
        return MemoryPlan(
            weights: weightByteCount, cache: cache.byteCount, scratch: scratch, contextLength: contextLength)
    }

    /// The longest context that fits in `budget` bytes: `limit`, or less in whole pages; 0 if none does.
    func largestContext(within budget: Int, upTo limit: Int) throws(ModelError) -> Int {
        if weightByteCount > budget { return 0 }
        return try plan(contextLength: limit).total <= budget ? limit : largestContext(within: budget, below: limit)
    }

    /// The longest context, in whole pages and below `limit`, that fits in `budget` bytes; 0 if none does.
    func largestContext(within budget: Int, below limit: Int) throws(ModelError) -> Int {
        var fitting = 0
        var tooLong = (limit - 1) / CacheLayout.pageTokenCount + 1
        while tooLong - fitting > 1 {
            let middle = (fitting + tooLong) / 2
            if try plan(contextLength: middle * CacheLayout.pageTokenCount).total <= budget {
                fitting = middle
            } else {
                tooLong = middle
            }
        }
        return fitting * CacheLayout.pageTokenCount
    }
}
