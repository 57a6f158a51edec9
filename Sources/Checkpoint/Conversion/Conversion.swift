import Files
import Glibc
import Numerics

/// The progress of a conversion, in bytes of output.
public struct ConversionProgress: Sendable, Equatable {
    public var doneByteCount: Int
    public var totalByteCount: Int
}

/// The result of a conversion.
public struct ConversionResult: Sendable {
    /// A tensor that was quantised to FP8 or integers.
    public struct Quantized: Sendable {
        public var name: String
        /// The part of the model, or of a prediction layer, that the tensor belongs to.
        public var part: ModelCensus.Part
        public var error: RelativeError
    }

    /// The quantised tensors, in the order of the output files. Excludes tensors of `keptFiles`.
    public var quantized: [Quantized]
    /// Output files that an earlier, interrupted run had finished.
    public var keptFiles: [String]
    /// Bytes written to the other output files.
    public var byteCount: Int
}

extension ConversionPlan {
    /// The result of an earlier run, if the folder holds the finished conversion; else nil. Throws if `run` would
    /// refuse to write to the folder.
    public func finished(in folder: String, force: Bool = false) throws(CheckpointError) -> ConversionResult? {
        guard try ConversionFolder.isFinished(self, in: folder, force: force) else { return nil }
        return ConversionResult(quantized: [], keptFiles: files.map(\.name), byteCount: 0)
    }

    /// Converts into `folder`. Resumes an interrupted run of the same conversion.
    ///
    /// - Parameters:
    ///   - force: whether to replace a checkpoint, or another unfinished conversion, in the folder.
    ///   - threadCount: by default the number of processors plus one, so that processors stay busy while a thread waits
    ///     for the disk.
    ///   - progress: called between pieces on the calling thread.
    public func run(
        into folder: String, force: Bool = false, threadCount: Int? = nil,
        progress: (ConversionProgress) -> Void = { _ in }
    ) throws(CheckpointError) -> ConversionResult {
        try run(into: folder, force: force, threadCount: threadCount, files: ConversionFiles(), progress: progress)
    }

    func run(
        into folder: String, force: Bool = false, threadCount: Int? = nil, files: ConversionFiles,
        progress: (ConversionProgress) -> Void = { _ in }
    ) throws(CheckpointError) -> ConversionResult {
        let target = try ConversionFolder(folder, for: self, force: force, files: files)
        var missing: [Int] = []
        for index in self.files.indices where try !target.has(self.files[index]) { missing.append(index) }
        let byteCount = missing.reduce(0) { $0 + self.files[$1].byteCount }
        try target.checkRoom(byteCount)
        let queue = ConversionQueue(plan: self, fileIndices: missing, folder: target.path, files: files)
        try queue.run(threadCount: threadCount ?? sysconf(Int32(_SC_NPROCESSORS_ONLN)) + 1, progress: progress)
        try source.copyOthers(to: target.path, files)
        try target.finish(self)
        let kept = self.files.indices.filter { !missing.contains($0) }.map { self.files[$0].name }
        return ConversionResult(quantized: queue.quantized, keptFiles: kept, byteCount: byteCount)
    }
}

extension ConversionSource {
    /// Copies the files other than weights and config: tokenizer, generation_config.json, licence.
    fileprivate func copyOthers(to target: String, _ files: ConversionFiles) throws(CheckpointError) {
        let own: Set = ["config.json", ShardSet.indexFile, SourceLayout.fileName]
        let weights = [".safetensors", ".bin", ".pt", ".pth", ".gguf"]
        for name in try files.names(in: folder) where !own.contains(name) && !name.hasPrefix(".") {
            guard !weights.contains(where: name.hasSuffix), let status = try? fileStatus("\(folder)/\(name)"),
                status.st_mode & S_IFMT == S_IFREG
            else { continue }
            try files.write(CheckpointSource.folder(folder).read(name), to: "\(target)/\(name)")
        }
    }
}
