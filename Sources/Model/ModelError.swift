import Checkpoint
import GPU
import Numerics

/// An error while a model is loaded or run. Errors of the device and of the checkpoint keep their type.
public enum ModelError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A token id outside the vocabulary.
    case tokenOutOfRange(token: Int32, vocabularySize: Int)
    /// A sequence would exceed the context: `needed` tokens where `limit` fit.
    case contextExceeded(needed: Int, limit: Int)
    /// The cache has too few free pages for the step.
    case cacheFull(neededTokens: Int, freeTokens: Int)
    /// Logits with Inf or NaN; `place` names the layer where the first such value appeared.
    case notFinite(place: String)
    /// The device failed, was lost, ran out of memory or lacks a feature: see `GPUError.result`.
    case device(GPUError)
    /// The checkpoint is missing, damaged, unreadable or unsupported: see `CheckpointError.kind`.
    case checkpoint(CheckpointError)
    /// The model exceeds the memory of the place where it was to run; found before anything is allocated.
    case doesNotFit(MemoryShortage)
    /// A tensor of a step exceeds the device's limit for one binding of a shader.
    case tooLargeToBind(tensor: String, byteCount: Int, limit: Int, device: String)
    /// A load option that the model or the device rules out; `name` as on the command line, without the dashes.
    case option(name: String, expected: String, found: String)
    /// With `CheckedInterpreter`: a kernel's result on the device differs from its reference's. `place` names the layer,
    /// `failure` the worst element.
    case disagreement(place: String, kernel: String, failure: String)
    /// The caller's progress callback asked to stop.
    case interrupted

    public var description: String {
        switch self {
        case .tokenOutOfRange(let token, let vocabularySize):
            "token id \(token): expected 0 to \(vocabularySize - 1), the ids of this model's vocabulary"
        case .contextExceeded(let needed, let limit):
            "the sequence needs \(needed) tokens, but the context holds \(limit)"
        case .cacheFull(let needed, let free):
            "the cache has room for \(free) more tokens, but this step needs \(needed)"
        case .notFinite(let place):
            "the model's values are no longer finite (Inf or NaN), first in \(place)"
        case .device(let error): error.description
        case .checkpoint(let error): error.description
        case .doesNotFit(let shortage): shortage.description
        case .tooLargeToBind(let tensor, let byteCount, let limit, let device):
            "\(tensor): expected at most \(byteText(limit)), which \(device) binds at once, found \(byteText(byteCount))"
        case .option(let name, let expected, let found): "\(name): expected \(expected), found \(found)"
        case .disagreement(let place, let kernel, let failure):
            "\(place): kernel \(kernel) differs from its reference: \(failure)"
        case .interrupted: "loading was interrupted"
        }
    }
}

/// Memory that a model can be loaded to.
public struct MemoryPlace: Sendable, Equatable {
    /// The device's index, or "cpu": the place's name in a `DeviceChoice`.
    public var choice: String
    public var name: String
    /// Bytes that can still be allocated.
    public var budget: Int

    public init(choice: String, name: String, budget: Int) {
        self.choice = choice
        self.name = name
        self.budget = budget
    }
}

/// A model that exceeds a place's memory: its size in bytes, and alternatives that fit.
public struct MemoryShortage: Sendable, Equatable, CustomStringConvertible {
    public var place: MemoryPlace
    /// Bytes of the weights, of the cache for `contextLength` tokens, and of a step's intermediate values.
    public var weights, cache, scratch: Int
    public var contextLength: Int
    /// The longest context with which the model fits at `place`; 0 if none does.
    public var largestContext: Int
    /// Other places with enough memory for the model and this context.
    public var roomierPlaces: [MemoryPlace]

    public var total: Int { weights + cache + scratch }
    /// The most bytes of weights that would fit at `place` with the same cache and step.
    public var largestWeights: Int { max(0, place.budget - scratch - cache) }

    public init(
        place: MemoryPlace, weights: Int, cache: Int, scratch: Int, contextLength: Int, largestContext: Int,
        roomierPlaces: [MemoryPlace]
    ) {
        self.place = place
        self.weights = weights
        self.cache = cache
        self.scratch = scratch
        self.contextLength = contextLength
        self.largestContext = largestContext
        self.roomierPlaces = roomierPlaces
    }

    public var description: String {
        "the model does not fit on \(place.name): expected at most \(byteText(place.budget)), found \(byteText(total)) "
            + "(weights \(byteText(weights)), cache for \(contextLength) tokens \(byteText(cache)), "
            + "intermediate values \(byteText(scratch)))"
    }
}

/// Runs a device's call within this module's errors.
package func onDevice<Result: ~Copyable>(_ body: () throws(GPUError) -> Result) throws(ModelError) -> Result {
    do throws(GPUError) { return try body() } catch { throw .device(error) }
}

/// Runs a checkpoint's call within this module's errors.
package func readingCheckpoint<Result: ~Copyable>(
    _ body: () throws(CheckpointError) -> Result
) throws(ModelError) -> Result {
    do throws(CheckpointError) { return try body() } catch { throw .checkpoint(error) }
}
