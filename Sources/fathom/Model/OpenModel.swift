import ArgumentParser
import GPU
import Engine
import Kernels
import Loading
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
    /// Bytes of the files that were loaded; nil without files.
    let loadedByteCount: Int?

    /// Turns an answer's tokens into text, if there is a tokenizer.
    var tokenText: any TokenText { text.map { TokenizerText($0.tokenizer) } ?? NoText() }
}

extension ModelSource {
    /// Loads the model, showing how far it is where stderr is a terminal. Ctrl-C stops the loading.
    ///
    /// - Parameters:
    ///   - device: the value of `--device`.
    ///   - needsText: a checkpoint without a tokenizer is then an error, before anything is loaded.
    func open(on device: String?, needsText: Bool, options: LoadOptions) throws -> OpenedModel {
        let start = ContinuousClock.now
        let choice = try DeviceChoice(checking: device)
        guard try read("config.json") != nil else {
            throw CommandError(
                "\(name): expected config.json, found none: name the folder that holds it beside the model's tokenizer.json and .safetensors files"
            )
        }
        let text = try needsText ? requiredText() : text()
        let stopTokens = try ModelText.stopTokens(text, read: read)
        let (loaded, byteCount) = try loading(name) { progress in
            try ModelLoader.load(source: checkpoint, device: choice, options: options, progress: progress)
        }
        return OpenedModel(
            name: name, model: loaded, text: text, stopTokens: stopTokens,
            loadSeconds: (ContinuousClock.now - start).seconds, loadedByteCount: byteCount)
    }
}

extension ModelOptions {
    /// Loads the model that is asked for.
    ///
    /// - Parameters:
    ///   - needsText: a checkpoint without a tokenizer is then an error, before anything is loaded.
    ///   - captureStatistics: has the driver keep its statistics of compiled code.
    func open(needsText: Bool, captureStatistics: Bool = false) throws -> OpenedModel {
        try ModelSource(folder: model).open(
            on: device, needsText: needsText, options: loadOptions(captureStatistics))
    }

    /// Makes a model of random weights.
    func open(_ synthetic: SyntheticModel) throws -> OpenedModel {
        let start = ContinuousClock.now
        let choice = try DeviceChoice(checking: device)
        let (loaded, _) = try loading(synthetic.name) { progress in
            try ModelLoader.load(synthetic: synthetic, device: choice, options: loadOptions(), progress: progress)
        }
        return OpenedModel(
            name: synthetic.name, model: loaded, text: nil, stopTokens: [],
            loadSeconds: (ContinuousClock.now - start).seconds, loadedByteCount: nil)
    }

    private func loadOptions(_ captureStatistics: Bool = false) -> LoadOptions {
        var options = LoadOptions(
            contextTokens: context, kvFormat: kvCache, activations: activations, check: check,
            captureStatistics: captureStatistics,
            pipelineCache: Catalogue.pipelineCache)
        options.prepareDevice = { [variants] in variants.apply(to: $0) }
        return options
    }
}

/// Loads a model: shows the progress, stops at Ctrl-C, prints the model's notes.
private func loading(
    _ name: String, _ load: (@escaping (LoadProgress) -> Bool) throws -> LoadedModel
) throws -> (LoadedModel, byteCount: Int) {
    let bar = LoadingBar(name: name)
    let loaded: LoadedModel
    var byteCount = 0
    do {
        loaded = try load { progress in
            bar.show(progress)
            byteCount = progress.loadedByteCount
            return !Interrupt.isRequested
        }
    } catch {
        bar.clear()
        if case ModelError.interrupted = error { throw ExitCode.interrupted }
        throw error
    }
    bar.clear()
    if Interrupt.isRequested { throw ExitCode.interrupted }
    for text in loaded.notes { try note("\(name): \(text)") }
    return (loaded, byteCount)
}
