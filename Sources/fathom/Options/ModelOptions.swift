import Cache
import ArgumentParser
import Loading
import Model

/// Which model runs, where, and with how much cache: the flags that every command with a model has.
struct ModelOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Folder of a checkpoint as published: config.json, *.safetensors, tokenizer.json. Without it, the built-in model.",
            valueName: "dir"))
    var model: String?

    @Option(
        help: ArgumentHelp(
            "cpu, or a Vulkan device by index or part of its name (see fathom devices). Without it, the best Vulkan device.",
            valueName: "device"))
    var device: String?

    @Flag(help: "Run every kernel on the CPU too, and stop where the results differ. Slow.")
    var check = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Most tokens of prompt and answer together. Without it, 4096 or the model's maximum, if less.",
            valueName: "n"))
    var context: Int?

    @Option(help: ArgumentHelp("Number format of the cache: f32, or bf16 at half the memory.", valueName: "format"))
    var kvCache = CacheLayout.Format.f32

    @Option(
        help: ArgumentHelp(
            "Activations in products with FP8 weights: f32, unrounded, or fp8, rounded as in DeepSeek's own inference.",
            valueName: "format"))
    var activations = ActivationFormat.f32

    @OptionGroup var variants: VariantOptions

    mutating func validate() throws {
        if model == "" { throw ValidationError("--model: expected a folder, found an empty text") }
        if let context, context < 1 {
            throw ValidationError("--context: expected 1 or more, found \(context)")
        }
        try ModelSource.validate(folder: model)
        if check, case .cpu = DeviceChoice(device) {
            throw ValidationError("--check compares a Vulkan device with the CPU: expected it without --device cpu")
        }
    }
}

extension ActivationFormat: ExpressibleByArgument {
    public static var allValueStrings: [String] { ["f32", "fp8"] }
}

extension CacheLayout.Format: ExpressibleByArgument {
    public static var allValueStrings: [String] { ["f32", "bf16"] }
}
