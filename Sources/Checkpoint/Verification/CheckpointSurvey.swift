import Files
import Glibc

/// All that is wrong with a checkpoint's files by their names, headers and config: found in a second, without reading weights.
public struct CheckpointSurvey: Sendable {
    /// Nil where it cannot be read, which is among the problems.
    public let config: ModelConfig?
    public let problems: [CheckpointProblem]
    public let notes: [String]
    let source: CheckpointSource
    let shards: ShardSet

    /// - Throws: where there is nothing to survey.
    public init(_ source: CheckpointSource) throws(CheckpointError) {
        self.source = source
        var problems: [CheckpointProblem] = []
        let file = "config.json"
        do throws(CheckpointError) {
            config = try ModelConfig(json: source.read(file), name: source.path(of: file))
        } catch {
            config = nil
            problems.append(CheckpointProblem(source.exists(file) ? .damaged : .missing, file: file, error))
        }
        shards = try ShardSet(source)
        var notes = shards.notes
        problems += shards.problems
        // Without an index nobody says what is in a file that cannot be read.
        if let config, shards.names != [ShardSet.singleFile] || shards.problems.isEmpty {
            problems += WeightMap.problems(shards.tensors, for: config, excused: shards.excused, notes: &notes).0
        }
        for name in try source.fileNames() where name.hasSuffix(".safetensors") && !shards.names.contains(name) {
            let error = CheckpointError(
                .damaged, source.path(of: name), expected: "only files that hold the model",
                found: "one that nothing refers to",
                advice: "it may be of another version: remove it")
            // By its name a part of a model; anything else is somebody's own.
            if name.hasPrefix("model-") {
                problems.append(CheckpointProblem(.extra, file: name, error))
            } else {
                notes.append("\(name) is no part of the model")
            }
        }
        self.problems = problems
        self.notes = notes
    }

    public var shardCount: Int { shards.names.count }
    public var tensorCount: Int { shards.tensors.count }
    /// Of the files that could be opened.
    public var byteCount: Int { shards.files.values.reduce(0) { $0 + $1.file.byteCount } }
}

extension CheckpointSource {
    /// The files, sorted by name.
    func fileNames() throws(CheckpointError) -> [String] {
        let path: String
        switch self {
        case .memory(_, let files): return files.keys.sorted()
        case .folder(let folder): path = folder
        }
        return try onFile(path, "a folder whose files can be listed") { () throws(SystemError) in
            try folderNames(path)
        }
    }
}
