import Files
import Glibc
import JSON

/// The target folder of a conversion: empty, or left by an interrupted run of the same conversion.
///
/// Until the conversion is finished, the folder contains a journal and no config.json, so that it does not open as a
/// checkpoint. A file gets its name only after its content is on disk.
final class ConversionFolder {
    static let journal = ".fathom-convert.json"

    let path: String
    private let files: ConversionFiles
    /// Held while this process writes there.
    private let lock: Descriptor

    /// Creates and locks the folder and prepares it for writing. Throws if it is not empty, except after an interrupted
    /// run of the same conversion.
    ///
    /// - Parameter force: removes a checkpoint, or another unfinished conversion, that is there.
    init(
        _ path: String, for plan: ConversionPlan, force: Bool, files: ConversionFiles
    ) throws(CheckpointError) {
        self.files = files
        self.path = try Self.resolved(path)
        try Self.checkApart(self.path, plan.source.folder)
        try files.makeFolder(self.path)
        let folder = self.path
        lock = try onFile(folder, "a folder that can be read") { () throws(SystemError) in
            try Descriptor.open(folder, O_RDONLY | O_DIRECTORY)
        }
        guard flock(lock.number, LOCK_EX | LOCK_NB) == 0 else {
            lock.discard()
            throw CheckpointError(
                .refused, folder, expected: "a folder that nothing else writes to",
                found: "another conversion running there")
        }
        try prepare(plan, force)
    }

    deinit { lock.discard() }

    func name(_ file: String) -> String { "\(path)/\(file)" }

    private func prepare(_ plan: ConversionPlan, _ force: Bool) throws(CheckpointError) {
        switch try Self.content(path, plan, files) {
        case .nothing: break
        case .begun:
            // The interrupted run may have written config.json, although other files are missing now.
            try files.remove(name("config.json"))
            return try files.storeFolder(path)
        case .finished:
            guard force else {
                throw CheckpointError(
                    .refused, path, expected: "an empty folder", found: "this conversion, finished", advice: .force)
            }
        case .other(let error): guard force else { throw error }
        }
        // Removes config.json first, so that the folder no longer opens as a checkpoint.
        try files.remove(name("config.json"))
        try files.storeFolder(path)
        for file in try files.names(in: path) where Self.isCheckpoints(file) { try files.remove(name(file)) }
        try files.storeFolder(path)
        try files.write(Self.fingerprint(plan), to: name(Self.journal))
        try files.storeFolder(path)
    }

    /// The state of the target folder.
    private enum Content {
        case nothing
        /// This conversion, unfinished.
        case begun
        /// This conversion, finished.
        case finished
        /// Other files, which are replaced only by force.
        case other(CheckpointError)
    }

    private static func content(
        _ path: String, _ plan: ConversionPlan, _ files: ConversionFiles
    ) throws(CheckpointError) -> Content {
        let found = try files.names(in: path)
        if found.contains(journal) {
            if try CheckpointSource.folder(path).read(journal) == fingerprint(plan) { return .begun }
            return .other(
                CheckpointError(
                    .refused, path, expected: "an empty folder, or this conversion unfinished",
                    found: "another conversion unfinished, or this one of a source that has changed since",
                    advice: .forceOverUnfinished))
        }
        guard let first = found.first(where: { $0 != journal + ConversionFiles.temporarySuffix }) else {
            return .nothing
        }
        if try isFinished(path, plan, files) { return .finished }
        return .other(
            CheckpointError(
                .refused, path, expected: "an empty folder", found: "\(first) in it", advice: .forceOverCheckpoint))
    }

    /// Whether all output files are complete and none is older than the source.
    private static func isFinished(
        _ path: String, _ plan: ConversionPlan, _ files: ConversionFiles
    ) throws(CheckpointError) -> Bool {
        for (file, bytes) in plan.texts + [("config.json", plan.configJSON)] {
            guard files.exists("\(path)/\(file)"), try CheckpointSource.folder(path).read(file) == bytes else {
                return false
            }
        }
        let sources = try times(plan.source).map(\.status.changeTime)
        for file in plan.files {
            guard try isWhole(file, in: path) else { return false }
            let made = try status("\(path)/\(file.name)").changeTime
            guard sources.allSatisfy({ $0 <= made }) else { return false }
        }
        return true
    }

    /// Whether the folder holds the finished conversion. Throws if a run would refuse to write there.
    static func isFinished(_ plan: ConversionPlan, in path: String, force: Bool) throws(CheckpointError) -> Bool {
        let path = try resolved(path)
        try checkApart(path, plan.source.folder)
        switch try content(path, plan, ConversionFiles()) {
        case .nothing, .begun: return false
        case .finished: return !force
        case .other(let error): if force { return false } else { throw error }
        }
    }

    private static func isCheckpoints(_ file: String) -> Bool {
        file.hasSuffix(".safetensors") || file.hasSuffix(ConversionFiles.temporarySuffix)
            || [journal, ShardSet.indexFile, SourceLayout.fileName].contains(file)
    }

    /// Finishes the checkpoint: writes config.json and removes the journal.
    func finish(_ plan: ConversionPlan) throws(CheckpointError) {
        for (file, bytes) in plan.texts { try files.write(bytes, to: name(file)) }
        try files.storeFolder(path)
        try files.write(plan.configJSON, to: name("config.json"))
        try files.storeFolder(path)
        try files.remove(name(Self.journal))
        try files.storeFolder(path)
    }

    /// Whether an output file is already complete, from an earlier run.
    func has(_ file: ConversionPlan.File) throws(CheckpointError) -> Bool {
        try Self.isWhole(file, in: path)
    }

    private static func isWhole(_ file: ConversionPlan.File, in folder: String) throws(CheckpointError) -> Bool {
        let path = "\(folder)/\(file.name)"
        guard access(path, F_OK) == 0 else { return false }
        let found = try RandomAccessFile(path: path)
        guard found.byteCount == file.byteCount else { return false }
        return try found.bytes(at: 0, count: file.header.count) == file.header
    }

    // MARK: Checks

    /// The journal's content, which identifies a conversion: names, sizes and modification times of the source files,
    /// and the options.
    private static func fingerprint(_ plan: ConversionPlan) throws(CheckpointError) -> [UInt8] {
        let sources = try times(plan.source).map { file, status -> JSONValue in
            [
                .string(file), .init(Int(status.st_size)), .init(Int(status.st_mtim.tv_sec)),
                .init(Int(status.st_mtim.tv_nsec)),
            ]
        }
        let options = plan.options
        let root: JSONValue = [
            "version": 1, "source": .array(sources), "merge": .bool(plan.source.layout != nil),
            "format": options.format.map { .string($0.rawValue) } ?? .null, "group": .init(options.groupSize),
            "powers_of_two": .bool(options.powersOfTwo), "experts_only": .bool(options.expertsOnly),
            "ranks": .init(options.rankCount),
        ]
        return Array(root.serialized().utf8)
    }

    private static func times(_ source: ConversionSource) throws(CheckpointError) -> [(file: String, status: stat)] {
        let names =
            source.layout.map { layout in (0..<layout.rankCount).map { Rank($0, of: layout.rankCount).fileName } }
            ?? source.files.map(\.name)
        var times: [(file: String, status: stat)] = []
        for file in names + ["config.json"] { times.append((file, try status("\(source.folder)/\(file)"))) }
        return times
    }

    private static func status(_ path: String) throws(CheckpointError) -> stat {
        try onFile(path, "a readable file") { () throws(SystemError) in try fileStatus(path) }
    }

    /// An absolute path without symbolic links and dots. Its parent folder must exist.
    private static func resolved(_ path: String) throws(CheckpointError) -> String {
        do throws(SystemError) { return try realPath(path) } catch {
            var parts = path.split(separator: "/", omittingEmptySubsequences: true)
            guard error.code == ENOENT, let last = parts.popLast(), last != "..", last != "." else {
                throw CheckpointError(error, path, expected: "a folder to write to")
            }
            let parent = (path.hasPrefix("/") ? "/" : "./") + parts.joined(separator: "/")
            let folder = try onFile(parent, "a folder to make \(last) in") { () throws(SystemError) in
                try realPath(parent)
            }
            return (folder == "/" ? "" : folder) + "/" + last
        }
    }

    /// Throws if one folder is, or contains, the other.
    private static func checkApart(_ target: String, _ source: String) throws(CheckpointError) {
        let source = try onFile(source, "a model's folder") { () throws(SystemError) in try realPath(source) }
        guard !(target + "/").hasPrefix(source + "/"), !(source + "/").hasPrefix(target + "/") else {
            throw CheckpointError(
                .refused, target, expected: "a folder apart from the source's", found: source,
                advice: "name another folder: the source is never written to")
        }
    }

    /// Throws if the file system has less than `byteCount` bytes free.
    func checkRoom(_ byteCount: Int) throws(CheckpointError) {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return }
        let room = UInt64(status.f_bavail) &* UInt64(status.f_frsize)
        guard UInt64(byteCount) <= room else {
            throw CheckpointError(
                .system(ENOSPC), path, expected: "\(byteCount) bytes free for what is to be written", found: "\(room)",
                advice: "make room, or name a folder on another disk")
        }
    }
}

extension stat {
    /// Time of the last modification as seconds and nanoseconds. (A 64-bit number of nanoseconds would overflow in
    /// 2262.)
    fileprivate var changeTime: (Int, Int) { (st_mtim.tv_sec, st_mtim.tv_nsec) }
}
