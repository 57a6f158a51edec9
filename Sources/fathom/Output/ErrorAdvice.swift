import ArgumentParser
import Checkpoint
import GPU
import Engine
import Model
import Numerics
import Profiler

/// A failure that a command finds itself. The text names the thing, what was expected, what was found and what to do.
struct CommandError: Error, Equatable, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}

extension ExitCode {
    /// The exit code that shells report for a program that Ctrl-C ended.
    static let interrupted = ExitCode(130)
}

/// Turns errors into lines for a person. The libraries describe the error; this adds the remedy in terms of the
/// program's commands and options, which the libraries do not know.
enum ErrorAdvice {
    static let noLoader = "the Vulkan loader (libvulkan.so.1) was not found: \(installLoader)"
    static let noDevice = "no Vulkan 1.3 device was found: \(installDriver)"
    private static let installLoader = "install it (Debian: libvulkan1)"
    private static let installDriver = "install a driver (Tools/setup does)"

    /// The error as the program ends with it: with advice where it is one of our modules', else itself, so that wrong
    /// usage and exit codes keep their meaning.
    static func shown(_ error: any Error) -> any Error {
        switch error {
        case is GPUError, is CheckpointError, is ModelError, is GenerationError, is ProfilerError,
            is Profile.Comparison.DevicesDiffer:
            CommandError(line(error))
        default: error
        }
    }

    /// The line for an error of any of our modules; for others, their own description. Errors quote names from files and the files'
    /// content, so that the line is made `printable`.
    static func line(_ error: any Error) -> String { text(error).printable }

    private static func text(_ error: any Error) -> String {
        switch error {
        case let error as GPUError: line(error)
        case let error as CheckpointError: error.statement + (error.advice.map { "; \(text($0))" } ?? "")
        case let error as ModelError: line(error)
        case let error as GenerationError: line(error)
        case let error as ProfilerError: line(error)
        case is Profile.Comparison.DevicesDiffer: "\(error): measure both on one device, or compare them with --force"
        default: "\(error)"
        }
    }

    private static func line(_ error: GPUError) -> String {
        let advice: String? =
            switch error.result {
            case .noLoader: "\(installLoader), or use --device cpu"
            case .noDevice: "\(installDriver), or use --device cpu"
            case .outOfDeviceMemory: "a shorter --context or a smaller model needs less"
            case .deviceLost: "start again"
            case .incompatibleDriver: "a newer driver may, or use --device cpu"
            case .unknownDevice, .ambiguousDevice, .outOfHostMemory, .notSupported, .timeout, .other: nil
            }
        if case .unknownDevice(let devices) = error.result {
            // The CPU is a choice of the program's, not one of the devices.
            return "--device \(error.object): expected one of: \((["cpu"] + devices).joined(separator: ", "))"
        }
        if case .ambiguousDevice = error.result { return "--\(error)" }
        return error.description + (advice.map { "; \($0)" } ?? "")
    }

    private static func line(_ error: ModelError) -> String {
        switch error {
        case .device(let error): line(error)
        case .checkpoint(let error): line(error as any Error)
        case .option: "--\(error)"
        case .disagreement: "--check: \(error)"
        case .contextExceeded: "\(error): shorten it, or raise --context"
        case .cacheFull: "\(error): raise --context or run fewer prompts at once"
        case .notFinite:
            "\(error): the weights are faulty or, if --device cpu gives an answer, the device is (see fathom selftest)"
        case .tooLargeToBind: "\(error): ask for fewer tokens a step"
        case .doesNotFit(let shortage): "\(error); \(text(shortage))"
        case .tokenOutOfRange, .interrupted: error.description
        }
    }

    private static func line(_ error: GenerationError) -> String {
        switch error {
        case .option: "--\(error)"
        case .promptTooLong: "\(error): shorten the prompt, or raise --context"
        case .model(let error): line(error)
        case .request(let index, let error): "prompt \(index + 1): \(line(error))"
        case .emptyPrompt, .text: error.description
        }
    }

    private static func line(_ error: ProfilerError) -> String {
        switch error {
        case .device(let error): line(error)
        case .model(let error): line(error)
        case .wrongResult(let kernel, _, _): "\(error): run fathom selftest \(kernel)"
        case .noTimestamps, .interrupted: error.description
        }
    }

    /// The remedy for a checkpoint's error.
    static func text(_ advice: CheckpointError.Advice) -> String {
        switch advice {
        case .text: advice.description
        case .merge(let folder): "put it together first: fathom convert \(folder) NEW --merge"
        case .force: "nothing is left to do; --force does it again"
        case .forceOverUnfinished: "name another folder, or --force to begin anew"
        case .forceOverCheckpoint: "name another folder, or --force to replace the checkpoint there"
        case .smallerGroup: "choose a smaller --group"
        case .fp8: "choose --to fp8"
        case .splitOnly: "its matrices are as --to would make them: give --ranks without --to if it is to be split"
        case .otherRanksOrBF16: "choose another number of ranks, or --to bf16"
        }
    }

    /// Alternatives that fit if a model does not.
    private static func text(_ shortage: MemoryShortage) -> String {
        var advice = shortage.largestContext > 0 ? ["--context \(shortage.largestContext) fits"] : []
        advice += shortage.roomierPlaces.map { "--device \($0.choice) (\($0.name)) has \(byteText($0.budget))" }
        return advice.isEmpty
            ? "a checkpoint of at most \(byteText(shortage.largestWeights)) of weights would fit"
            : advice.joined(separator: "; ")
    }
}
