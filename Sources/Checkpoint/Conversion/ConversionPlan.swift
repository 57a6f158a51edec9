import JSON
import Numerics

/// What a conversion will write, known before any weight is read.
public struct ConversionPlan: Sendable {
    /// A file of weights.
    public struct File: Sendable {
        public var name: String
        public var byteCount: Int
        public var tensorCount: Int
        /// Nil if the checkpoint is not split for ranks.
        public var rank: Rank?
        var header: [UInt8]
        var steps: [ConversionStep]
    }

    public let options: ConversionOptions
    public let files: [File]
    /// Notes for the user on unusual properties that are not errors.
    public private(set) var notes: [String] = []
    let source: ConversionSource
    /// Small files, written after the weights.
    let texts: [(name: String, bytes: [UInt8])]
    let configJSON: [UInt8]

    public var byteCount: Int { files.reduce(0) { $0 + $1.byteCount } }

    /// Plans to convert, to split or both.
    public init(_ source: ConversionSource, _ options: ConversionOptions) throws(CheckpointError) {
        self.source = source
        self.options = options
        let rules = ConversionRules(source, options)
        var whole: [File] = []
        var stay: [TensorInfo] = []
        var convertedCount = 0
        for (name, tensors) in source.files {
            var steps: [ConversionStep] = []
            for tensor in tensors {
                guard let recipe = rules.recipe(tensor) else { continue }
                if recipe != .copy { convertedCount += 1 }
                if rules.staysUneven(tensor) { stay.append(tensor) }
                let packed = recipe == .copy ? nil : source.packedWeights[tensor.name]
                steps.append(ConversionStep(recipe, of: tensor, packed: packed))
            }
            if !steps.isEmpty { whole.append(try File(name, steps)) }
        }
        if let format = options.format, convertedCount == 0 {
            throw CheckpointError(
                .refused, source.folder, expected: "matrices to convert to \(format.rawValue)", found: "none",
                advice: rules.advice(isUneven: !stay.isEmpty))
        }
        if !stay.isEmpty {
            notes.append(
                "\(stay.count) matrices stay in BF16: their columns are no multiple of the group size \(options.groupSize)"
            )
        }
        configJSON = try rules.config(uneven: stay)
        let index = whole.count == 1 && whole[0].name == ShardSet.singleFile ? nil : Self.index(whole)
        guard options.rankCount > 1 else {
            files = whole
            texts = index.map { [(ShardSet.indexFile, Array($0.utf8))] } ?? []
            return
        }
        let split = try RankSplit(source.weights, count: options.rankCount)
        var steps = [[ConversionStep]](repeating: [], count: options.rankCount)
        for step in whole.flatMap(\.steps) {
            for share in try step.shares(split) { steps[share.rank].append(share.step) }
        }
        var ranks: [File] = []
        for (index, steps) in steps.enumerated() {
            let rank = Rank(index, of: options.rankCount)
            ranks.append(try File(rank.fileName, steps, rank: rank))
        }
        files = ranks
        // A checkpoint that is split without a conversion is merged to the files that it was split from, byte for byte.
        let layout =
            try options.format == nil
            ? source.ownLayout(rankCount: options.rankCount)
            : SourceLayout(
                rankCount: options.rankCount,
                files: whole.map { SourceLayout.File(name: $0.name, header: $0.header, tensors: []) }, index: index)
        texts = [(SourceLayout.fileName, layout.json)]
    }

    /// Plans to merge a split checkpoint.
    public init(merging source: ConversionSource) throws(CheckpointError) {
        guard let layout = source.layout else { preconditionFailure("\(source.folder) is not split") }
        self.source = source
        options = ConversionOptions()
        configJSON = source.configJSON
        texts = layout.index.map { [(ShardSet.indexFile, Array($0.utf8))] } ?? []
        let split = try RankSplit(source.weights, count: layout.rankCount)
        files = layout.files.map { file in
            let steps = file.tensors.map { tensor in
                var step = ConversionStep(.copy, of: tensor)
                step.outputs[0].offset = tensor.offset
                if split.isShape(tensor.name) {
                    step.recipe = .constant(ConversionStep.bytes(split.weightShape(tensor.name), as: tensor.type))
                }
                return step
            }
            let end = file.tensors.last.map { $0.offset + $0.byteCount } ?? file.header.count
            return File(
                name: file.name, byteCount: end, tensorCount: steps.count, rank: nil, header: file.header, steps: steps)
        }
    }

    /// The result of a conversion that does not split, without its bytes: for memory plans.
    public func outcome() throws(CheckpointError) -> Checkpoint {
        precondition(options.rankCount == 1, "a checkpoint for \(options.rankCount) ranks")
        let outputs = files.flatMap { file in
            file.steps.flatMap(\.outputs).map {
                TensorInfo(
                    name: $0.name, type: $0.type, shape: $0.shape, byteCount: $0.byteCount, shard: file.name,
                    offset: $0.offset)
            }
        }
        return try Checkpoint(
            planned: Dictionary(uniqueKeysWithValues: outputs.map { ($0.name, $0) }), configJSON: configJSON,
            name: "\(source.folder), converted")
    }

    private static func index(_ files: [File]) -> String {
        var map: [JSONMember] = []
        var byteCount = 0
        for file in files {
            for output in file.steps.flatMap(\.outputs) {
                map.append(JSONMember(output.name, .string(file.name)))
                byteCount += output.byteCount
            }
        }
        map.sort { $0.key < $1.key }
        let root: JSONValue = ["metadata": ["total_size": JSONValue(byteCount)], "weight_map": .object(map)]
        return root.serialized(pretty: true) + "\n"
    }
}

extension ConversionPlan.File {
    /// Lays a file out: tensors of wide elements first, so that each tensor is aligned to its elements.
    init(_ name: String, _ steps: [ConversionStep], rank: Rank? = nil) throws(CheckpointError) {
        var steps = steps
        let places = steps.indices.flatMap { step in steps[step].outputs.indices.map { (step, $0) } }
        let sizes = [8, 4, 2, 1]
        var entries: [SafetensorsEntry] = []
        var order: [(step: Int, output: Int)] = []
        var end = 0
        for size in sizes {
            for place in places where steps[place.0].outputs[place.1].type.byteCount == size {
                let output = steps[place.0].outputs[place.1]
                let range = end..<end + output.byteCount
                entries.append(
                    SafetensorsEntry(name: output.name, type: output.type, shape: output.shape, range: range))
                order.append(place)
                end = range.upperBound
            }
        }
        header = try SafetensorsWriter.header(entries, metadata: ["format": "pt"], path: name)
        for (place, entry) in zip(order, entries) {
            steps[place.step].outputs[place.output].offset = header.count + entry.range.lowerBound
        }
        self.name = name
        self.rank = rank
        self.steps = steps
        byteCount = header.count + end
        tensorCount = entries.count
    }
}
