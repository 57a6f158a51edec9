import Numerics

/// One of several equal parts of a model, each for a device of its own.
public struct Rank: Hashable, Sendable {
    public let index: Int
    public let count: Int

    public init(_ index: Int, of count: Int) {
        precondition(count > 0 && (0..<count).contains(index), "rank \(index) of \(count)")
        self.index = index
        self.count = count
    }

    /// Its file, named as DeepSeek's convert.py does.
    public var fileName: String { "model\(index)-mp\(count).safetensors" }
}

/// How a model's tensors are dealt out to ranks: experts whole, a rank's share of them in a row; other matrices by rows or
/// columns; the rest to every rank.
///
/// As DeepSeek's convert.py deals them, but with the published names, and the prediction layers too.
struct RankSplit {
    enum Share: Equatable {
        case whole
        /// An equal part of this dimension.
        case dimension(Int)
        /// One rank's alone.
        case owned(by: Int)
    }

    let count: Int
    private let config: ModelConfig
    private let expected: [String: ExpectedTensor]

    init(_ config: ModelConfig, count: Int) throws(CheckpointError) {
        guard config.nRoutedExperts % count == 0 else {
            throw CheckpointError(
                .refused, "n_routed_experts", expected: "a multiple of the \(count) ranks",
                found: "\(config.nRoutedExperts)",
                advice: "choose another number of ranks")
        }
        self.count = count
        self.config = config
        expected = Dictionary(
            uniqueKeysWithValues: WeightMap.expected(config, hasMTP: true).map { ($0.name, $0) })
    }

    /// What a tensor's name says of it beyond its weight's name.
    static let suffixes = ["_scale_inv", "_packed", "_scale", "_shape"]

    /// The weight that a tensor is, or is a part of.
    static func weightName(_ tensor: String) -> String {
        for suffix in suffixes where tensor.hasSuffix(".weight" + suffix) {
            return String(tensor.dropLast(suffix.utf8.count))
        }
        return tensor
    }

    /// Whether a tensor holds the shape of its weight, which is another on every rank.
    static func isShape(_ tensor: String) -> Bool { tensor.hasSuffix(".weight_shape") }

    /// How the weight that a tensor belongs to is shared.
    func share(_ tensor: String) -> Share {
        let name = Self.weightName(tensor)
        switch expected[name]?.split {
        case .rows: return .dimension(0)
        case .columns: return .dimension(1)
        case .experts:
            return Self.expert(name).map { .owned(by: $0.expert / (config.nRoutedExperts / count)) } ?? .whole
        case .whole, nil: return .whole
        }
    }

    /// The whole weight's shape, whatever it is stored as.
    func weightShape(_ tensor: String) -> [Int] { expected[Self.weightName(tensor)]?.shape ?? [] }

    /// One rank's part of some rows or columns.
    ///
    /// - Parameter unit: what stays together: the rows and columns of a block, or the columns of a group.
    func part(_ range: Range<Int>, of tensor: TensorInfo, unit: Int, on rank: Int) throws(CheckpointError) -> Range<Int>
    {
        guard range.count % (count * unit) == 0 else {
            throw CheckpointError(
                .refused, tensor.name, expected: "a multiple of \(count * unit) to share among \(count) ranks",
                found: "\(range.count) of \(tensor.shape)",
                advice: unit > 1 ? .otherRanksOrBF16 : "choose another number of ranks")
        }
        let size = range.count / count
        return range.lowerBound + rank * size..<range.lowerBound + (rank + 1) * size
    }

    /// What a rank's tensors are in the whole model, other ranks' experts with them: what its file can be checked against.
    func whole(_ tensors: [String: TensorInfo], of rank: Rank) throws(CheckpointError) -> [String: TensorInfo] {
        var whole: [String: TensorInfo] = [:]
        let own = config.nRoutedExperts / count
        for (name, tensor) in tensors {
            switch share(name) {
            case .whole: whole[name] = tensor
            case .dimension(let dimension):
                var shape = tensor.shape
                if shape.count == 2, !Self.isShape(name) { shape[dimension] *= count }
                whole[name] = TensorInfo(name: name, type: tensor.type, shape: shape)
            case .owned(let owner):
                guard owner == rank.index, let place = Self.expert(name) else {
                    throw CheckpointError(
                        .damaged, "\(rank.fileName): \(name)", expected: "experts of rank \(rank.index) alone",
                        found: "one of rank \(owner)", advice: "split the checkpoint again")
                }
                for other in 0..<count {
                    var fields = place.fields
                    fields[place.index] = Substring("\(place.expert % own + other * own)")
                    let twin = fields.joined(separator: ".")
                    whole[twin] = TensorInfo(name: twin, type: tensor.type, shape: tensor.shape)
                }
            }
        }
        return whole
    }

    /// The expert that a name names, and where.
    private static func expert(_ name: String) -> (fields: [Substring], index: Int, expert: Int)? {
        let fields = name.split(separator: ".").map { $0 }
        guard let place = fields.firstIndex(of: "experts"), place + 1 < fields.count,
            let expert = Int(fields[place + 1])
        else { return nil }
        return (fields, place + 1, expert)
    }
}
