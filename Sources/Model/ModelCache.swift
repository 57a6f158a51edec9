import Cache
import Checkpoint
import GPU
import Kernels
import Program

extension Transformer {
    /// The wiring with caches for `contextLength` tokens in `memory`.
    package init(
        _ config: ModelConfig, _ weights: ModelWeights, contextLength: Int, _ format: CacheLayout.Format,
        _ activations: ActivationFormat, in memory: any ModelMemory, on device: Device?
    ) throws(ModelError) {
        let layout = CacheLayout(
            format: format, kvLoraRank: config.kvLoraRank, qkRopeHeadDim: config.qkRopeHeadDim)
        let pages = CacheLayout.pageCount(forTokens: contextLength)
        var cache: [Tensor] = []
        let chosenTokens: Storage
        do throws(GPUError) {
            for layer in 0..<config.numHiddenLayers + (weights.prediction == nil ? 0 : 1) {
                let storage = try memory.makeStorage(
                    "cache of layer \(layer)", byteCount: layout.byteCount(pages: pages))
                cache.append(
                    Tensor(
                        storage, format.elementType, [pages * CacheLayout.pageTokenCount, layout.paddedEntryWidth]))
            }
            chosenTokens = try memory.makeStorage("chosen tokens", byteCount: 2 * StepLimits.rowCount * 4)
        } catch {
            throw .device(error)
        }
        self.init(
            config, weights, cache: cache, chosenTokens: chosenTokens, activations: activations, on: device)
    }
}
