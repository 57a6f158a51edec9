import CVulkan
import Glibc
import Threads

struct PipelineKey: Hashable {
    let name: String
    let hash: UInt64
    let constants: [UInt32]
}

/// A device's pipelines: each made once, by whoever needs it first or by threads that run ahead, and kept between runs
/// in the driver's cache.
final class PipelineStore: @unchecked Sendable {
    private enum Entry {
        case beingMade
        case made(Pipeline)
    }

    private let device: OpaquePointer
    private let fullSubgroups, setsSubgroupSize: Bool
    private let file: (cache: PipelineCache, owner: PipelineCache.Owner)?
    /// `VkPipelineCache`, which drivers lock themselves; 0 for none.
    private var driverCache: UInt64 = 0
    /// Bytes of the driver's data that were found; 0 where there were none.
    let foundByteCount: Int

    /// Over everything below; those who wait are woken where something changed.
    private let lock = ConditionLock()
    private var entries: [PipelineKey: Entry] = [:]
    /// What the threads have yet to make, last first.
    private var pending: [NeededPipeline] = []
    private var threads: [pthread_t] = []
    private var workingCount = 0
    /// Pipelines that were not in the driver's data when it was last looked at, as far as the driver tells.
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
            // What this driver does not take after all it may still fill.
            found = []
            if fv_create_pipeline_cache(device, nil, 0, &driverCache) != 0 { driverCache = 0 }
        }
        foundByteCount = found.count
        savedByteCount = found.count
    }

    /// The pipeline of a shader at these constants; made now, unless it is there or another thread is about to have it.
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

    // MARK: Running ahead

    /// Has threads make these pipelines, the first ones first, and returns at once.
    func prepare(_ needed: [NeededPipeline], threadCount: Int) {
        lock.locked {
            pending = needed.reversed() + pending
            while workingCount < min(threadCount, pending.count) {
                // Without a thread, whoever needs a pipeline makes it.
                guard let thread = startThread({ [self] in work() }) else { return }
                threads.append(thread)
                workingCount += 1
            }
        }
    }

    /// Returns when the threads have nothing left to do and what they made is saved.
    func waitForPrepared() {
        lock.lock()
        while workingCount > 0 { lock.wait() }
        lock.unlock()
    }

    private func work() {
        while let next = next() {
            // The dispatch that needs a pipeline which cannot be made tries again, and says what is wrong.
            _ = try? pipeline(for: next.module, constants: next.constants)
        }
    }

    /// What to make next; nil ends the thread. The last one that finds nothing saves first, and looks again.
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

    // MARK: Keeping

    /// Writes the driver's data if there are pipelines that were not in it.
    private func save() {
        let (newCount, knownByteCount) = lock.locked {
            defer { unsavedCount = 0 }
            return (unsavedCount, savedByteCount)
        }
        guard newCount > 0, let file, driverCache != 0 else { return }
        var byteCount = 0
        // New pipelines make it grow, except where a driver keeps nothing in it.
        guard fv_pipeline_cache_data(device, driverCache, nil, &byteCount) == 0, byteCount > 0,
            byteCount != knownByteCount
        else { return }
        var data = [UInt8](repeating: 0, count: byteCount)
        // One pipeline more in between, and there is too little room: whoever made that one saves again.
        guard fv_pipeline_cache_data(device, driverCache, &data, &byteCount) == 0 else { return }
        if file.cache.write(Array(data.prefix(byteCount)), file.owner) { lock.locked { savedByteCount = byteCount } }
    }

    /// Ends the threads (after the pipelines that they are at), saves, and destroys everything: no one uses it any more.
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
