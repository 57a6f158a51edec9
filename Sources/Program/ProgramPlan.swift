import GPU
import Kernels

extension Program {
    /// The pipelines that a device needs for these programs, each once, in the order of first need. A dispatch that the
    /// device cannot run ends a program's list: submitting the step throws the error.
    public static func neededPipelines(
        of programs: [Program], on target: any Target
    ) throws(GPUError) -> [NeededPipeline] {
        var commands = Commands(listingFor: target)
        let scratch = ScratchMemory.planned()
        for program in programs {
            try scratch.bind(program)
            do throws(GPUError) {
                for operation in program.operations { try operation.kernel.encode(into: &commands) }
            } catch {
                guard error.result == .notSupported else { throw error }
            }
        }
        return commands.dispatches.neededPipelines
    }

    /// The first slot that exceeds a device's limit for one binding; nil if there is none.
    public func slotBeyondBinding(of profile: DeviceProfile) -> Storage? {
        slots.slots.lazy.map(\.storage).first { $0.byteCount > profile.maxStorageBufferRange }
    }
}
