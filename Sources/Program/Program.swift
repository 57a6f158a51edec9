import GPU
import Kernels
import Numerics

/// A step as a value: operations in order over slots, and where results land.
///
/// A slot is memory for an intermediate value. It is a `Storage` without memory until `ScratchMemory` binds it; slots that
/// are not in use at the same time share memory (`SlotLayout`).
public struct Program: Sendable {
    public struct Operation: Sendable {
        public let kernel: any Kernel
        public let place: Place
        /// The row group in `StepShape.groups` that it computes.
        public let group: Int
    }

    /// Where in the model an operation stands, for error messages and profiles.
    public struct Place: Sendable, Equatable {
        public enum Layer: Sendable, Equatable, CustomStringConvertible {
            case inputs, embedding, layer(Int), head, prediction

            public var description: String {
                switch self {
                case .inputs: "the inputs"
                case .embedding: "the embedding"
                case .layer(let index): "layer \(index)"
                case .head: "the head"
                case .prediction: "the multi-token prediction"
                }
            }
        }

        public enum Part: String, Sendable {
            case inputs, embedding, norm, attention, feedForward = "feed-forward", experts, head, prediction
        }

        public var layer: Layer
        public var part: Part

        public init(_ layer: Layer, _ part: Part) {
            self.layer = layer
            self.part = part
        }
    }

    /// An intermediate value that a caller may read: the contents of `tensor` after operation `operation`.
    public struct Observation: Sendable {
        public enum Value: Sendable, Equatable {
            /// The residual stream before layer `layer`, or after the last: `[rows, hidden]`.
            case hidden(layer: Int)
            /// `[rows, k]`
            case experts(layer: Int), expertWeights(layer: Int)
            /// The residual stream after the final norm.
            case normed
            /// `[rows, vocabulary]`
            case predictionLogits
        }
        public let value: Value
        public let tensor: Tensor
        public let operation: Int
    }

    public let shape: StepShape
    public let operations: [Operation]
    public let slots: SlotLayout
    /// The step's single upload, in `InputLayout`'s order.
    public let inputs: Tensor
    /// `[results, vocabulary]`, F32; nil if logits do not leave the device.
    public let logits: Tensor?
    /// `[2, results]`, U32: see `Argmax`; nil if no tokens are chosen.
    public let chosen: Tensor?
    public let observations: [Observation]

    /// Bytes that the host reads after a step.
    public var resultByteCount: Int { (logits?.byteCount ?? 0) + (chosen?.byteCount ?? 0) }
}

/// Builds a program: makes slots, appends operations.
public struct ProgramBuilder {
    public let shape: StepShape
    public let inputLayout: InputLayout
    public let inputs: Tensor
    private var operations: [Program.Operation] = []
    private var observations: [Program.Observation] = []
    private var storages: [Storage]
    public var place = Program.Place(.inputs, .inputs)
    /// The row group of the operations that follow.
    public var group = 0

    public init(_ shape: StepShape) {
        self.shape = shape
        inputLayout = InputLayout(shape)
        let storage = Storage(label: "inputs", byteCount: inputLayout.wordCount * 4)
        inputs = Tensor(storage, .u32, [inputLayout.wordCount])
        storages = [storage]
    }

    /// A part of the inputs as a tensor; nil if the step does not have it.
    public func input(_ words: Range<Int>, _ shape: [Int]) -> Tensor? {
        words.isEmpty ? nil : Tensor(inputs.storage, .u32, shape, byteOffset: words.lowerBound * 4)
    }

    /// A slot of FP32 values; rows start at multiples of 16 bytes.
    ///
    /// - Parameter byteCount: minimum size of the slot.
    public mutating func floats(_ label: String, _ shape: [Int], atLeast byteCount: Int = 0) -> Tensor {
        slot(
            label, .f32, shape, pitch: Tensor.activationPitch(shape.dropFirst().reduce(1, *)), atLeast: byteCount)
    }

    /// A slot of 32-bit words, dense.
    public mutating func words(_ label: String, _ shape: [Int]) -> Tensor { slot(label, .u32, shape) }

    /// - Parameter pitch: elements from one row to the next; nil for dense rows.
    public mutating func slot(
        _ label: String, _ type: ElementType, _ shape: [Int], pitch: Int? = nil, atLeast byteCount: Int = 0
    ) -> Tensor {
        let pitch = pitch ?? shape.dropFirst().reduce(1, *)
        let storage = Storage(
            label: label, byteCount: max(16, byteCount, (shape[0] * pitch * type.byteCount + 15) / 16 * 16))
        storages.append(storage)
        return Tensor(storage, type, shape, pitch: pitch)
    }

    public mutating func run(_ kernel: some Kernel) {
        operations.append(Program.Operation(kernel: kernel, place: place, group: group))
    }

    /// Lets callers read the tensor's contents at this point.
    public mutating func observe(_ value: Program.Observation.Value, _ tensor: Tensor) {
        observations.append(Program.Observation(value: value, tensor: tensor, operation: operations.count - 1))
    }

    public func finished(logits: Tensor?, chosen: Tensor?) -> Program {
        Program(
            shape: shape, operations: operations,
            slots: SlotLayout(
                of: storages, in: operations, readAtEnd: [logits, chosen].compactMap { $0?.storage },
                observations: observations),
            inputs: inputs, logits: logits, chosen: chosen, observations: observations)
    }
}
