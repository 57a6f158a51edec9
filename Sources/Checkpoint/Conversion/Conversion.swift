import Glibc
import Numerics

/// How far a conversion is.
public struct ConversionProgress: Sendable, Equatable {
    public var doneByteCount: Int
    public var totalByteCount: Int
}

/// What a conversion did.
public struct ConversionResult: Sendable {
    /// A tensor that became FP8 or integers.
    public struct Quantized: Sendable {
        public var name: String
        /// The part of the model, or of a prediction layer, that the tensor belongs to.
        public var part: ModelCensus.Part
        public var error: RelativeError
    }

    /// In the order of the output's files.
    public var quantized: [Quantized]
    /// Files that an earlier run had finished; their tensors are not among `quantized`.
    public var keptFiles: [String]
    public var byteCount: Int
}

extension ConversionPlan {
    /// What an earlier run made, if all of it lies in the folder. Throws where the folder holds what `run` would refuse.
    public func finished(in folder: String, force: Bool = false) throws(CheckpointError) -> ConversionResult? {
        guard try ConversionFolder.isFinished(self, in: folder, force: force) else { return nil }
        return ConversionResult(quantized: [], keptFiles: files.map(\.name), byteCount: 0)
    }

    /// Converts, on as many threads as there are processors and one more, so that none waits for the disk.
    ///
    /// - Parameters:
    ///   - folder: where to; begun by the same conversion, it is gone on with.
    ///   - progress: told between pieces, on the calling thread.
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
    /// Copies what lies beside the weights: tokenizer, generation_config.json, licence.
    fileprivate func copyOthers(to target: String, _ files: ConversionFiles) throws(CheckpointError) {
        let own: Set = ["config.json", ShardSet.indexFile, SourceLayout.fileName]
        let weights = [".safetensors", ".bin", ".pt", ".pth", ".gguf"]
        for name in try files.names(in: folder) where !own.contains(name) && !name.hasPrefix(".") {
            var status = stat()
            guard !weights.contains(where: name.hasSuffix), stat("\(folder)/\(name)", &status) == 0,
                status.st_mode & S_IFMT == S_IFREG
            else { continue }
            try files.write(CheckpointSource.folder(folder).read(name), to: "\(target)/\(name)")
        }
    }
}
