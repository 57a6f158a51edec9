import GPU
import Kernels
import Model
import Program

extension MemoryPlanner {
    /// The pipelines that a conversation needs, the first prefill's first, before there is any memory. Pipelines of other steps
    /// are made when they are needed.
    func neededPipelines(contextLength: Int, on device: Device) throws(ModelError) -> [NeededPipeline] {
        let transformer = try transformer(contextLength: contextLength).transformer
        let limits = StepLimits(transformer, contextLength: contextLength)
        let most = min(StepLimits.rowCount, contextLength)
        var shapes: [StepShape] = []
        func add(_ group: StepShape.Group, readsChosen: Bool = false, _ choice: StepShape.Choice? = nil) {
            var group = group
            group.resultCount = 1
            shapes.append(
                StepShape(
                    [group], choice: choice ?? .best(among: transformer.config.vocabSize), readsChosen: readsChosen))
        }
        // Variants depend on the number of rows: a whole step of a long prompt, the rest of one, a short one; then token after
        // token.
        for count in Set([most, min(64, most), min(16, most), 1]).sorted(by: >) {
            if limits.expandedEnd > 0 { add(transformer.expandedPrompts(count, keyCount: count)) }
            if limits.expandedEnd < contextLength { add(transformer.absorbedPrompts(count, keyCount: most)) }
        }
        for keys in Set([most, contextLength]).sorted() {
            for readsChosen in [false, true] {
                add(transformer.decodeRows(1, keyCount: keys), readsChosen: readsChosen)
            }
        }
        add(transformer.decodeRows(1, keyCount: most), readsChosen: true, .drawn)

        let brief = transformer.withoutRepeatedLayers
        do throws(GPUError) {
            return try Program.neededPipelines(of: shapes.map { brief.forward($0) }, on: device)
        } catch {
            throw .device(error)
        }
    }
}
