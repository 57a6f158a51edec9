import GPU
import Kernels

/// One step's inputs: its shape and the words of its upload.
public struct StepInput: Sendable {
    public let shape: StepShape
    /// In the order of `InputLayout(shape)`.
    public let words: [UInt32]
    /// For each row group the keys that its rows attend to, all together. It changes reported costs alone.
    public let attendedCounts: [Int]

    public init(_ shape: StepShape, words: [UInt32], attendedCounts: [Int]) {
        self.shape = shape
        self.words = words
        self.attendedCounts = attendedCounts
    }
}

/// The results of a step for the host.
public struct StepOutput: Sendable {
    /// `[results, vocabulary]`, row by row; empty if the shape does not return logits.
    public var logits: [Float] = []
    /// `[2, results]`: see `Argmax`; empty if no tokens are chosen.
    public var chosen: [UInt32] = []
}

/// A submitted step.
public final class Submission {
    /// Nil where the step has run when `submit` returns.
    let recording: Recording?
    let output: StepOutput

    init(_ recording: Recording) { (self.recording, output) = (recording, StepOutput()) }
    init(_ output: StepOutput) { (recording, self.output) = (nil, output) }
}

/// Runs programs. Interpreters differ in where they run them and in what they record; all compute the same results.
public protocol Interpreter: AnyObject {
    /// Whether a submitted step runs beside the host, so that it pays to submit the next one early.
    var runsAhead: Bool { get }
    /// Called when the host begins to make a step's inputs.
    func prepare()
    /// Queues a step. Steps run in the order of submission.
    ///
    /// - Parameter make: makes the program of the input's shape.
    func submit(_ input: StepInput, _ make: () -> Program) throws(ProgramError) -> Submission
    /// Waits for a step and returns its results. Every submission is collected or discarded, once.
    func collect(_ submission: Submission) throws(ProgramError) -> StepOutput
    func discard(_ submission: Submission)
    /// Runs a program in pieces, and reads each observed value as soon as it is there.
    ///
    /// - Parameter observe: gets the value's elements, row by row without padding.
    func walk(
        _ program: Program, _ input: StepInput, _ observe: (Program.Observation, [UInt32]) throws(ProgramError) -> Void
    ) throws(ProgramError) -> StepOutput
}

extension Interpreter {
    public func prepare() {}
}

/// An interpreter that has run a step when `submit` returns: a walk that reports no values.
public protocol WalkingInterpreter: Interpreter {}

extension WalkingInterpreter {
    public var runsAhead: Bool { false }

    public func submit(_ input: StepInput, _ make: () -> Program) throws(ProgramError) -> Submission {
        Submission(try walk(make(), input) { (_, _) throws(ProgramError) in })
    }

    public func collect(_ submission: Submission) throws(ProgramError) -> StepOutput { submission.output }
    public func discard(_ submission: Submission) {}
}

extension Program {
    /// The observations by the operation after which they are made.
    var observationsByOperation: [Int: [Observation]] { Dictionary(grouping: observations, by: \.operation) }
}

/// The elements of a tensor's bytes (4 bytes each), without the rows' padding.
func elements(of tensor: Tensor, in bytes: UnsafeRawBufferPointer) -> [UInt32] {
    [UInt32](unsafeUninitializedCapacity: tensor.rows * tensor.columns) { words, count in
        let source = bytes.bindMemory(to: UInt32.self)
        for row in 0..<tensor.rows {
            for column in 0..<tensor.columns {
                words[row * tensor.columns + column] = source[row * tensor.pitch + column]
            }
        }
        count = tensor.rows * tensor.columns
    }
}

func floats(_ words: [UInt32]) -> [Float] { words.map { Float(bitPattern: $0) } }
