import CVulkan
import Glibc
import Threads

struct PipelineKey: Hashable {
    let name: String
    let hash: UInt64
    let constants: [UInt32]
}

/// A device's pipelines. Each is made once, by the first dispatch that needs it or by a thread beforehand; the driver's cache
/// keeps them between runs.
final class PipelineStore: @unchecked Sendable {
    private enum Entry {
        case beingMade
        case made(Pipeline)
    }

    private let device: OpaquePointer
    private let fullSubgroups, setsSubgroupSize: Bool
    private let file: (cache: PipelineCache, owner: PipelineCache.Owner)?
    /// A `VkPipelineCache`, which drivers synchronise themselves; 0 for none.
    private var driverCache: UInt64 = 0
    /// Bytes of the driver's data read from the cache's file; 0 if there were none.
    let foundByteCount: Int

    /// Guards everything below; threads wait on it for changes.
    private let lock = ConditionLock()
    private var entries: [PipelineKey: Entry] = [:]
    /// Pipelines that the threads have yet to make, in reverse order.
    private var pending: [NeededPipeline] = []
    private var threads: [pthread_t] = []
    private var workingCount = 0
    /// Pipelines made since the last save that the driver did not find in its cache.
    private var unsavedCount = 0
    private var savedByteCount: Int

    init(_ device: OpaquePointer, _ profile: DeviceProfile, cache: PipelineCache?) {
        self.device = device
        fullSubgroups = profile.hasFullSubgroups
        setsSubgroupSize = profile.hasSubgroupSizeControl
        file = cache.map {
            (
                $0,
                PipelineCache.Owner(
                    deviceUUID: profile.uuid, driverVersion: profile.driverVersion,
                    pipelineCacheUUID: profile.pipelineCacheUUID)
            )
        }
        var found = file.flatMap { $0.cache.read($0.owner) } ?? []
        if file != nil, fv_create_pipeline_cache(device, found, found.count, &driverCache) != 0 {
            // The driver rejects this data. It may still accept an empty cache.
            found = []
            if fv_create_pipeline_cache(device, nil, 0, &driverCache) != 0 { driverCache = 0 }
        }
        foundByteCount = found.count
        savedByteCount = found.count
    }

    /// The pipeline of a shader at these constants: made now, unless it exists or another thread is making it, which this call
    /// then waits for.
    func pipeline(
        for module: ShaderModule, constants: [(id: UInt32, bits: UInt32)]
    ) throws(GPUError) -> Pipeline {
        let key = PipelineKey(name: module.name, hash: module.hash, constants: constants.map(\.bits))
        lock.lock()
        while let entry = entries[key] {
            if case .made(let pipeline) = entry {
                lock.unlock()
                return pipeline
            }
            lock.wait()
        }
        entries[key] = .beingMade
        lock.unlock()
        do throws(GPUError) {
            let made = try Pipeline(
                module, constants: constants, device: device, fullSubgroups: fullSubgroups,
                setsSubgroupSize: setsSubgroupSize, cache: driverCache)
            lock.locked {
                entries[key] = .made(made)
                if !made.wasCached { unsavedCount += 1 }
            }
            return made
        } catch {
            lock.locked { entries[key] = nil }
            throw error
        }
    }

    var made: [(key: PipelineKey, pipeline: Pipeline)] {
        lock.locked {
            entries.compactMap { key, entry in if case .made(let pipeline) = entry { (key, pipeline) } else { nil } }
        }
    }

    // MARK: Making pipelines beforehand

    /// Starts threads that make these pipelines in order, and returns at once.
    func prepare(_ needed: [NeededPipeline], threadCount: Int) {
        lock.locked {
            pending = needed.reversed() + pending
            while workingCount < min(threadCount, pending.count) {
                // Without threads, each pipeline is made by the dispatch that needs it.
                guard let thread = startThread({ [self] in work() }) else { return }
                threads.append(thread)
                workingCount += 1
            }
        }
    }

    /// Waits until the threads have made all pipelines and saved the cache.
    func waitForPrepared() {
        lock.lock()
        while workingCount > 0 { lock.wait() }
        lock.unlock()
    }

    private func work() {
        while let next = next() {
            // The dispatch that needs a failing pipeline makes it again, and throws its error.
            _ = try? pipeline(for: next.module, constants: next.constants)
        }
    }

    /// The next pipeline to make; nil ends the thread. The last working thread saves the cache before it ends.
    private func next() -> NeededPipeline? {
        lock.lock()
        while pending.isEmpty && workingCount == 1 && unsavedCount > 0 {
            lock.unlock()
            save()
            lock.lock()
        }
        defer { lock.unlock(waking: true) }
        if pending.isEmpty { workingCount -= 1 }
        return pending.popLast()
    }

    // MARK: Saving

    /// Writes the driver's data to the cache's file if pipelines were added to it.
    private func save() {
        let (newCount, knownByteCount) = lock.locked {
            defer { unsavedCount = 0 }
            return (unsavedCount, savedByteCount)
        }
        guard newCount > 0, let file, driverCache != 0 else { return }
        var byteCount = 0
        // New pipelines make the data grow, unless the driver stores none.
        guard fv_pipeline_cache_data(device, driverCache, nil, &byteCount) == 0, byteCount > 0,
            byteCount != knownByteCount
        else { return }
        var data = [UInt8](repeating: 0, count: byteCount)
        // If another thread adds a pipeline meanwhile, the buffer is too small; that thread saves again.
        guard fv_pipeline_cache_data(device, driverCache, &data, &byteCount) == 0 else { return }
        if file.cache.write(Array(data.prefix(byteCount)), file.owner) { lock.locked { savedByteCount = byteCount } }
    }

    /// Ends the threads after their current pipelines, saves, and destroys every pipeline. None may be in use.
    func close() {
        let started = lock.locked {
            pending = []
            return threads
        }
        for thread in started { pthread_join(thread, nil) }
        save()
        for entry in made { withUnsafePointer(to: entry.pipeline.raw) { fv_destroy_pipeline(device, $0) } }
        if driverCache != 0 { fv_destroy_pipeline_cache(device, driverCache) }
    }
}
