import JSON

/// The names and the exact headers of a checkpoint's files before it was split, so that merging restores the files.
struct SourceLayout: Sendable {
    static let fileName = "source-layout.json"

    struct File: Sendable {
        var name: String
        /// The header's bytes, with its length and padding.
        var header: [UInt8]
        /// In the order of their offsets.
        var tensors: [TensorInfo]
    }

    var rankCount: Int
    var files: [File]
    /// The index's text; nil for a checkpoint of one file.
    var index: String?

    init(rankCount: Int, files: [File], index: String?) {
        self.rankCount = rankCount
        self.files = files
        self.index = index
    }

    init(json: [UInt8], name: String) throws(CheckpointError) {
        let (rankCount, texts, index) = try readingJSON { () throws(JSONError) in
            let root = try JSONField(parsing: json, name: name)
            let ranks = try root["ranks"]
            guard (1...4096).contains(try ranks.int()) else { throw ranks.error(expected: "an integer from 1 to 4096") }
            var texts: [(String, String)] = []
            for file in try root["files"].array() {
                texts.append((try file["name"].string(), try file["header"].string()))
            }
            return (try ranks.int(), texts, try root["index"].present?.string())
        }
        var files: [File] = []
        var names: Set<String> = []
        for (file, text) in texts {
            guard ShardSet.isFileName(file), names.insert(file).inserted else {
                throw CheckpointError(.damaged, name, expected: "names of .safetensors files, each once", found: file)
            }
            let json = Array(text.utf8)
            let header = SafetensorsHeader.length(json.count) + json
            let entries = try SafetensorsHeader.entries(json: json, name: "\(name): \(file)")
            let tensors = entries.map { entry in
                TensorInfo(
                    name: entry.name, type: entry.type, shape: entry.shape, byteCount: entry.range.count, shard: file,
                    offset: header.count + entry.range.lowerBound)
            }
            files.append(File(name: file, header: header, tensors: tensors))
        }
        self.init(rankCount: rankCount, files: files, index: index)
    }

    var json: [UInt8] {
        let files = files.map { file -> JSONValue in
            ["name": .string(file.name), "header": .string(String(decoding: file.header.dropFirst(8), as: UTF8.self))]
        }
        let root: JSONValue = [
            "ranks": JSONValue(rankCount), "files": .array(files), "index": index.map(JSONValue.string) ?? .null,
        ]
        return Array(root.serialized().utf8)
    }
}
