import ArgumentParser
import GPU
import Generation
import Kernels
import Model
import Terminal
import Text

/// A model that is ready, with what its checkpoint says about text.
struct OpenedModel {
    let name: String
    let model: any LanguageModel & TraceableModel
    /// Nil if the checkpoint has no tokenizer.
    let text: ModelText?
    let stopTokens: Set<Int32>
    let loadSeconds: Double

    /// Turns an answer's tokens into text, if there is a tokenizer.
    var tokenText: any TokenText { text.map { TokenizerText($0.tokenizer) } ?? NoText() }
}

extension ModelOptions {
    /// Loads the model, showing how far it is where stderr is a terminal. Ctrl-C stops the loading.
    ///
    /// - Parameters:
    ///   - needsText: a checkpoint without a tokenizer is then an error, before anything is loaded.
    ///   - captureStatistics: has the driver keep what it tells of compiled code.
    func open(needsText: Bool, captureStatistics: Bool = false) throws -> OpenedModel {
        let start = ContinuousClock.now
        let choice = DeviceChoice(device)
        if case .vulkan = choice, case .none(let reason) = try VulkanDevices.look() {
            throw CommandError("\(reason), or use --device cpu")
        }
        let source = ModelSource(folder: model)
        guard try source.read("config.json") != nil else {
            throw CommandError(
                "\(source.name): expected config.json, found none: name the folder that holds it beside the model's tokenizer.json and .safetensors files"
            )
        }
        let text = try needsText ? source.requiredText() : source.text()
        let stopTokens = try ModelText.stopTokens(text, read: source.read)
        let bar = LoadingBar(name: source.name)
        let loaded: any LanguageModel & TraceableModel
        do {
            loaded = try ModelLoader.load(
                source: source.checkpoint, device: choice,
                options: LoadOptions(
                    contextTokens: context, kvFormat: kvCache, check: check, captureStatistics: captureStatistics,
                    pipelineCache: Catalogue.pipelineCache)
            ) { progress in
                bar.show(progress)
                return !Interrupt.isRequested
            }
        } catch {
            bar.clear()
            if Interrupt.isRequested { throw ExitCode.interrupted }
            throw error
        }
        bar.clear()
        if Interrupt.isRequested { throw ExitCode.interrupted }
        for text in loaded.notes { try note("\(source.name): \(text)") }
        return OpenedModel(
            name: source.name, model: loaded, text: text, stopTokens: stopTokens,
            loadSeconds: (ContinuousClock.now - start).seconds)
    }
}
