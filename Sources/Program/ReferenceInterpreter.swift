import GPU
import Kernels

/// Computes programs by the kernels' references, on the host.
public final class ReferenceInterpreter: WalkingInterpreter {
    private let scratch: ScratchMemory

    public init(scratch: ScratchMemory) { self.scratch = scratch }

    public func walk(
        _ program: Program, _ input: StepInput, _ observe: (Program.Observation, [UInt32]) throws(ProgramError) -> Void
    ) throws(ProgramError) -> StepOutput {
        try onDevice { () throws(GPUError) in try scratch.bind(program) }
        program.loadOnHost(input.words)
        let observations = program.observationsByOperation
        for (index, operation) in program.operations.enumerated() {
            operation.kernel.reference()
            for observation in observations[index] ?? [] { try observe(observation, observation.tensor.hostElements) }
        }
        return program.hostOutput
    }
}

extension Program {
    func loadOnHost(_ words: [UInt32]) {
        words.withUnsafeBytes { inputs.storage.host!.copyMemory(from: $0) }
    }

    var hostOutput: StepOutput {
        StepOutput(
            logits: logits.map { floats($0.hostElements) } ?? [], chosen: chosen.map(\.hostElements) ?? [])
    }
}

extension Tensor {
    var hostElements: [UInt32] {
        elements(of: self, in: UnsafeRawBufferPointer(rebasing: storage.host![byteOffset..<byteOffset + byteCount]))
    }
}
