import JSON

/// A checkpoint's .safetensors files: the readable tensors, and all problems of the files and of their index.
struct ShardSet: Sendable {
    static let singleFile = "model.safetensors"
    static let indexFile = "model.safetensors.index.json"

    /// Names of all files that should exist, sorted.
    private(set) var names: [String] = []
    private(set) var files: [String: SafetensorsFile] = [:]
    private(set) var tensors: [String: TensorInfo] = [:]
    /// Tensors whose absence follows from a reported problem.
    private(set) var excused: Set<String> = []
    /// In the order of the files.
    private(set) var problems: [CheckpointProblem] = []
    private(set) var notes: [String] = []
    private let source: CheckpointSource

    /// Opens all files, concurrently.
    ///
    /// - Throws: if there is no file and no readable index. Other errors become `problems`.
    init(_ source: CheckpointSource) throws(CheckpointError) {
        self.source = source
        if source.exists(Self.singleFile) {
            if source.exists(Self.indexFile) {
                notes.append("\(Self.indexFile) is not used, because \(Self.singleFile) exists")
            }
            names = [Self.singleFile]
            open(map: nil)
        } else if source.exists(Self.indexFile) {
            let map = try Self.readIndex(source.read(Self.indexFile), name: source.path(of: Self.indexFile))
            tensors.reserveCapacity(map.count)
            names = Set(map.values).sorted()
            open(map: map)
            findMissing(map)
        } else {
            let isSplit = source.exists(SourceLayout.fileName)
            throw CheckpointError(
                isSplit ? .unsupported : .missing, source.name, expected: "\(Self.singleFile) or \(Self.indexFile)",
                found: isSplit ? "a checkpoint split for ranks" : "neither",
                advice: isSplit ? .merge(folder: source.name) : "download the model's .safetensors files")
        }
    }

    private mutating func open(map: [String: String]?) {
        let opened = concurrentMap(names) { [source] name -> Result<SafetensorsFile, CheckpointError> in
            do throws(CheckpointError) { return .success(try SafetensorsFile(reading: source, name)) } catch {
                return .failure(error)
            }
        }
        for (name, result) in zip(names, opened) {
            switch result {
            case .success(let file):
                files[name] = file
                problems += file.faults.map { CheckpointProblem(.damaged, file: name, $0) }
                if let map { place(file.tensors, of: name, by: map) } else { tensors = file.tensors }
            case .failure(let error):
                problems.append(CheckpointProblem(source.exists(name) ? .damaged : .missing, file: name, error))
            }
        }
    }

    private mutating func place(_ found: [String: TensorInfo], of shard: String, by map: [String: String]) {
        var misplaced: [String] = []
        for (tensor, info) in found {
            if map[tensor] == shard { tensors[tensor] = info } else { misplaced.append(tensor) }
        }
        excused.formUnion(misplaced)
        for tensor in misplaced.sorted() {
            let error = CheckpointError(
                .damaged, "\(source.path(of: shard)): \(tensor)",
                expected: "a tensor that \(Self.indexFile) places in this file",
                found: map[tensor].map { "\($0) instead" } ?? "no such entry",
                advice: "the files are from different versions: download them again")
            problems.append(CheckpointProblem(.different, file: shard, tensor: tensor, error))
        }
    }

    private mutating func findMissing(_ map: [String: String]) {
        guard tensors.count < map.count else { return }
        for (tensor, shard) in map.filter({ tensors[$0.key] == nil }).sorted(by: { $0.key < $1.key }) {
            guard excused.insert(tensor).inserted else { continue }
            // If the header has faults, the tensor may be one of the unreadable entries.
            guard let file = files[shard], file.faults.isEmpty else { continue }
            let error = CheckpointError(
                .missing, source.path(of: shard), expected: "the tensor \(tensor), as \(Self.indexFile) says",
                found: "no such tensor", advice: "the files are from different versions: download them again")
            problems.append(CheckpointProblem(.missing, file: shard, tensor: tensor, error))
        }
    }

    /// Whether a name from a file is a plain .safetensors file name: no path separators, control characters or leading
    /// dot.
    static func isFileName(_ name: String) -> Bool {
        name.hasSuffix(".safetensors") && !name.hasPrefix(".")
            && name.utf8.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\\") }
    }

    /// The index's map from tensor names to file names. Throws for names that are not plain file names.
    private static func readIndex(_ json: [UInt8], name: String) throws(CheckpointError) -> [String: String] {
        try readingJSON { () throws(JSONError) in
            let root = try JSONField(parsing: json, name: name)
            let members = try root["weight_map"].object()
            var map = [String: String](minimumCapacity: members.count)
            var checked: Set<String> = []
            for (tensor, field) in members {
                let shard = try field.string()
                if !checked.contains(shard) {
                    guard isFileName(shard) else {
                        throw field.error(expected: "the name of a .safetensors file in the same folder")
                    }
                    checked.insert(shard)
                }
                guard map.updateValue(shard, forKey: tensor) == nil else {
                    throw field.error(expected: "each tensor once", found: "the key twice")
                }
            }
            guard !map.isEmpty else { throw try root["weight_map"].error(expected: "tensors") }
            return map
        }
    }
}
