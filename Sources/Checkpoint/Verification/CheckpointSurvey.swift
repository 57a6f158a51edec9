import Files
import Glibc

/// The problems of a checkpoint that file names, headers and config show: found in a second, without reading weights.
public struct CheckpointSurvey: Sendable {
    /// Nil if it cannot be read; `problems` then says why.
    public let config: ModelConfig?
    public let problems: [CheckpointProblem]
    public let notes: [String]
    let source: CheckpointSource
    let shards: ShardSet

    /// - Throws: if there is nothing to survey.
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
        // Without an index the tensors of a file that cannot be read are unknown.
        if let config, shards.names != [ShardSet.singleFile] || shards.problems.isEmpty {
            problems += WeightList.problems(shards.tensors, for: config, excused: shards.excused, notes: &notes).0
        }
        for name in try source.fileNames() where name.hasSuffix(".safetensors") && !shards.names.contains(name) {
            let error = CheckpointError(
                .damaged, source.path(of: name), expected: "only files that hold the model",
                found: "one that nothing refers to",
                advice: "it may be of another version: remove it")
            // Only a name of this form claims to be part of a model.
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
    /// The sizes of the files that could be opened.
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
