import Checkpoint
import GPU

/// Opens a checkpoint and brings its model to a device.
public enum ModelLoader {
    /// - Parameter progress: told as tensors arrive; false stops the loading with an error.
    /// - Throws: what is wrong with the checkpoint, the options or the device.
    public static func load(
        source: CheckpointSource, device choice: DeviceChoice, options: LoadOptions,
        progress: @escaping (LoadProgress) -> Bool = { _ in true }
    ) throws(ModelError) -> Transformer {
        let checkpoint: Checkpoint
        do throws(CheckpointError) { checkpoint = try Checkpoint(source) } catch { throw .failed(error.description) }
        let config = checkpoint.config
        let context = options.contextTokens ?? min(config.maxPositionEmbeddings, 4096)
        guard context <= config.maxPositionEmbeddings else {
            throw .failed(
                "--context \(context): expected at most \(config.maxPositionEmbeddings), the model's max_position_embeddings"
            )
        }
        var device: Device?
        if case .vulkan(let name) = choice {
            do throws(GPUError) { device = try Device.open(name) } catch { throw .failed(error.description) }
        }
        let executor = try Executor(device: device, check: options.check)
        var loader = WeightLoader(checkpoint: checkpoint, executor: executor, progress: progress)
        let weights = try loader.model(config, predicts: checkpoint.hasMTP)
        return try Transformer(
            config: config, notes: checkpoint.notes, weights: weights, executor: executor, contextLength: context,
            kvFormat: options.kvFormat)
    }
}
