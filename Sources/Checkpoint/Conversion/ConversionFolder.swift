import Files
import Glibc
import JSON

/// The folder a conversion writes to: empty, or left by the same conversion when it was stopped.
///
/// Until the conversion is done a journal lies there, and config.json, without which no checkpoint opens, does not. A
/// file has its name only once its content is on the disk.
final class ConversionFolder {
    static let journal = ".fathom-convert.json"

    let path: String
    private let files: ConversionFiles
    /// Held while this process writes there.
    private let lock: Descriptor

    /// Makes the folder ready.
    ///
    /// - Parameter force: clears away a checkpoint, or an unfinished conversion, that is there.
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
                found: "another conversion at work there")
        }
        try prepare(plan, force)
    }

    deinit { lock.discard() }

    func name(_ file: String) -> String { "\(path)/\(file)" }

    private func prepare(_ plan: ConversionPlan, _ force: Bool) throws(CheckpointError) {
        switch try Self.content(path, plan, files) {
        case .nothing: break
        case .begun:
            // It may lack files again that were there when it was written.
            try files.remove(name("config.json"))
            return try files.storeFolder(path)
        case .finished:
            guard force else {
                throw CheckpointError(
                    .refused, path, expected: "an empty folder", found: "this conversion, finished", advice: .force)
            }
        case .other(let error): guard force else { throw error }
        }
        // First what makes a checkpoint of the rest.
        try files.remove(name("config.json"))
        try files.storeFolder(path)
        for file in try files.names(in: path) where Self.isCheckpoints(file) { try files.remove(name(file)) }
        try files.storeFolder(path)
        try files.write(Self.fingerprint(plan), to: name(Self.journal))
        try files.storeFolder(path)
    }

    /// What a conversion finds in its folder.
    private enum Content {
        case nothing
        /// This conversion, unfinished.
        case begun
        case finished
        /// Something that is only to be replaced with --force.
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

    /// Whether all is there that the conversion writes, and none of it older than the source.
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

    /// Whether a folder has the finished conversion. Throws what writing there would throw for what lies in it.
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

    /// Gives the finished checkpoint its config, and takes the journal away.
    func finish(_ plan: ConversionPlan) throws(CheckpointError) {
        for (file, bytes) in plan.texts { try files.write(bytes, to: name(file)) }
        try files.storeFolder(path)
        try files.write(plan.configJSON, to: name("config.json"))
        try files.storeFolder(path)
        try files.remove(name(Self.journal))
        try files.storeFolder(path)
    }

    /// Whether a file is there, whole, from an earlier run.
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

    /// The source's files by name, size and time of change, and what is made of them.
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

    /// A path without links and dots; its folder must be there.
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

    /// That neither folder is the other or in it.
    private static func checkApart(_ target: String, _ source: String) throws(CheckpointError) {
        let source = try onFile(source, "a model's folder") { () throws(SystemError) in try realPath(source) }
        guard !(target + "/").hasPrefix(source + "/"), !(source + "/").hasPrefix(target + "/") else {
            throw CheckpointError(
                .refused, target, expected: "a folder apart from the source's", found: source,
                advice: "name another folder: the source is never written to")
        }
    }

    /// That what is missing has room.
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
    /// When the content was last written: seconds and nanoseconds, whose sum in nanoseconds ends in the year 2262.
    fileprivate var changeTime: (Int, Int) { (st_mtim.tv_sec, st_mtim.tv_nsec) }
}
