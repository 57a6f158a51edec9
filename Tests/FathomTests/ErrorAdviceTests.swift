import Checkpoint
import GPU
import Engine
import Model
import Profiler
import Testing

@testable import fathom

/// Errors keep their kind up to the program, which adds the remedy for each kind.
@Suite struct ErrorAdviceTests {
    private static let lost = GPUError(call: "vkQueueSubmit", result: .deviceLost, object: "Card")
    private static let full = GPUError(
        call: "vkAllocateMemory", result: .outOfDeviceMemory, object: "weights (9 bytes)")
    private static let damaged = CheckpointError(
        .damaged, "a.safetensors", expected: "8 bytes", found: "7", advice: "download it again")
    private static let gigabyte = 1 << 30

    static let lines: [(any Error, String)] = [
        (
            lost,
            "Card: the device was lost (driver reset, or a kernel that ran too long) (vkQueueSubmit); start again"
        ),
        (
            full,
            "weights (9 bytes): out of device memory (vkAllocateMemory); a shorter --context or a smaller model needs less"
        ),
        (
            GPUError(call: "x", result: .unknownDevice(devices: ["0: A", "1: B"]), object: "C"),
            "--device C: expected one of: cpu, 0: A, 1: B"
        ),
        (
            GPUError(call: "x", result: .ambiguousDevice(devices: ["0: A1", "1: A2"]), object: "A"),
            "--device A: expected one device, found several: 0: A1, 1: A2"
        ),
        (damaged, "a.safetensors: expected 8 bytes, found 7; download it again"),
        (
            CheckpointError(
                .refused, "out", expected: "an empty folder", found: "x in it", advice: .forceOverCheckpoint),
            "out: expected an empty folder, found x in it; name another folder, or --force to replace the checkpoint there"
        ),
        (
            CheckpointError(.unsupported, "d", expected: "a", found: "b", advice: .merge(folder: "d")),
            "d: expected a, found b; put it together first: fathom convert d NEW --merge"
        ),
        (
            ModelError.option(name: "context", expected: "at most 8", found: "9"),
            "--context: expected at most 8, found 9"
        ),
        (
            ModelError.contextExceeded(needed: 9, limit: 8),
            "the sequence needs 9 tokens, but the context holds 8: shorten it, or raise --context"
        ),
        (
            ModelError.disagreement(place: "layer 1", kernel: "linear", failure: "x"),
            "--check: layer 1: kernel linear differs from its reference: x"
        ),
        (
            ModelError.doesNotFit(
                shortage(context: 65536, [MemoryPlace(choice: "1", name: "B", budget: 80 * gigabyte)])),
            "the model does not fit on A: expected at most 12 GiB, found 13 GiB (weights 10 GiB, cache for 131072 tokens "
                + "2 GiB, intermediate values 1 GiB); --context 65536 fits; --device 1 (B) has 80 GiB"
        ),
        (
            ModelError.doesNotFit(shortage(context: 0, [])),
            "the model does not fit on A: expected at most 12 GiB, found 13 GiB (weights 10 GiB, cache for 131072 tokens "
                + "2 GiB, intermediate values 1 GiB); a checkpoint of at most 9 GiB of weights would fit"
        ),
        (
            GenerationError.request(index: 1, .promptTooLong(tokenCount: 9, contextLength: 8)),
            "prompt 2: the prompt has 9 tokens, but the context holds 8, of which the answer needs at least one: shorten "
                + "the prompt, or raise --context"
        ),
        (
            ProfilerError.wrongResult(kernel: "argmax", shape: "one", failure: "x"),
            "argmax, one: the result differs from the reference's: x: run fathom selftest argmax"
        ),
    ]

    @Test func everyKindHasItsLine() {
        for (error, line) in Self.lines { #expect(ErrorAdvice.line(error) == line) }
    }

    /// A lost device stays one, and a damaged file stays one, whichever modules they came through.
    @Test func theCauseIsTheSameThroughEveryModule() throws {
        for cause in [Self.lost, Self.full] {
            let errors: [any Error] = [
                ModelError.device(cause), GenerationError.model(.device(cause)), ProfilerError.device(cause),
                ProfilerError.model(.device(cause)),
            ]
            for error in errors { #expect(ErrorAdvice.line(error) == ErrorAdvice.line(cause)) }
        }
        let errors: [any Error] = [
            ModelError.checkpoint(Self.damaged), GenerationError.model(.checkpoint(Self.damaged)),
            ProfilerError.model(.checkpoint(Self.damaged)),
        ]
        for error in errors { #expect(ErrorAdvice.line(error) == ErrorAdvice.line(Self.damaged)) }
        #expect(GenerationError.model(.device(Self.lost)) != .model(.device(Self.full)))
    }

    /// Libraries know nothing of the command line.
    @Test func descriptionsNameNoOptions() {
        for (error, _) in Self.lines {
            #expect(!"\(error)".contains("--") && !"\(error)".contains("fathom "), "\(error)")
        }
    }

    /// Wrong usage and exit codes pass unchanged; everything else becomes the line.
    @Test func whatTheProgramEndsWith() {
        #expect(ErrorAdvice.shown(Self.lost) as? CommandError == CommandError(ErrorAdvice.line(Self.lost)))
        let own = CommandError("x")
        #expect(ErrorAdvice.shown(own) as? CommandError == own)
        #expect(Fathom.exitCode(for: ErrorAdvice.shown(ModelError.interrupted)).rawValue == 1)
    }

    private static func shortage(context: Int, _ places: [MemoryPlace]) -> MemoryShortage {
        MemoryShortage(
            place: MemoryPlace(choice: "0", name: "A", budget: 12 * gigabyte), weights: 10 * gigabyte,
            cache: 2 * gigabyte, scratch: gigabyte, contextLength: 131072, largestContext: context,
            roomierPlaces: places)
    }
}
