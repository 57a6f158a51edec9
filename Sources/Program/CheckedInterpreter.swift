import GPU
import Kernels

/// Runs programs on a device and by the references, side by side.
///
/// Each kernel's outputs are compared right after it has run, and the first kernel that differs is named. The device's
/// results replace the reference's, so that errors do not add up.
public final class CheckedInterpreter: WalkingInterpreter {
    private let device: Device
    private let scratch: ScratchMemory

    public init(on device: Device, scratch: ScratchMemory) {
        self.device = device
        self.scratch = scratch
    }

    public func walk(
        _ program: Program, _ input: StepInput, _ observe: (Program.Observation, [UInt32]) throws(ProgramError) -> Void
    ) throws(ProgramError) -> StepOutput {
        let walk = try onDevice { () throws(GPUError) in
            try scratch.bind(program)
            return try DeviceWalk(on: device, program, input)
        }
        program.loadOnHost(input.words)
        let observations = program.observationsByOperation
        for (index, operation) in program.operations.enumerated() {
            let kernel = operation.kernel
            try onDevice { () throws(GPUError) in
                try kernel.encode(into: &walk.commands)
                try walk.finishPiece()
            }
            kernel.reference()
            let tolerance = kernel.tolerance(on: device)
            for output in kernel.outputs {
                let found = try onDevice { () throws(GPUError) in try walk.bytes(of: output.view) }
                if let failure = SelfTest.difference(
                    output, found: found, from: output.byteOffset, tolerance: tolerance)
                {
                    throw .disagreement(
                        place: operation.place.layer.description, kernel: type(of: kernel).name, failure: failure)
                }
                output.setHostBytes(found)
            }
            for observation in observations[index] ?? [] { try observe(observation, observation.tensor.hostElements) }
            try onDevice { () throws(GPUError) in try walk.beginPiece() }
        }
        try onDevice { () throws(GPUError) in try walk.finishPiece() }
        return program.hostOutput
    }
}

extension Tensor {
    fileprivate func setHostBytes(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes {
            UnsafeMutableRawBufferPointer(rebasing: storage.host![byteOffset..<byteOffset + $0.count]).copyMemory(
                from: $0)
        }
    }
}
