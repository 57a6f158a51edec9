import GPU
import Numerics
import Shaders

/// result[0, r] = a token drawn from row r of the logits by the row's rule, as `DrawRule` defines it; result[1, r] = number of
/// the row's logits that are Inf or NaN, which are not drawn.
///
/// `logits: [rows, count], F32`; `rules: [rows, 6], U32`: the number of logits to draw from, and the words of the rule;
/// `result: [2, rows], U32`.
public struct Sample: Kernel {
    public static let name = "sample"
    /// Words of a row of `rules`.
    public static let ruleWidth = 6
    /// The shader keeps a token's id in 20 bits.
    public static let mostLogits = 1 << 20
    let logits: Tensor
    let rules: Tensor
    let result: Tensor

    public init(logits: Tensor, rules: Tensor, result: Tensor) {
        precondition(
            rules.shape == [logits.rows, Self.ruleWidth] && result.shape == [2, logits.rows]
                && logits.columns <= Self.mostLogits,
            "sample: \(result.shape) for \(logits.shape) by \(rules.shape)")
        self.logits = logits
        self.rules = rules
        self.result = result
    }

    /// A row of `rules`, to draw from the first `count` logits.
    public static func words(_ rule: DrawRule, among count: Int) -> [UInt32] { [UInt32(count)] + rule.words }

    public var operands: [KernelOperand] { [.read(logits), .read(rules), .write(result)] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = SampleShader(
            constants: .init(threads: commands.profile.maxWorkgroupInvocations >= 512 ? 512 : 256),
            params: .init(pitch: UInt32(logits.pitch)),
            bindings: .init(logits: logits.view, rules: rules.view, result: result.view))
        try commands.dispatch(shader, groups: (logits.rows, 1, 1))
    }

    public func reference() {
        for row in 0..<logits.rows {
            let words = UnsafeBufferPointer(start: rules.words + row * rules.pitch, count: Self.ruleWidth)
            let values = Array(logits.decodedRow(row).prefix(Int(words[0])))
            result.words[row] = UInt32(DrawRule(words: words.dropFirst()).token(from: values))
            result.words[result.pitch + row] = UInt32(values.count { !$0.isFinite })
        }
    }

    /// The logits count once; later passes read them from a cache.
    public var cost: Cost { Cost(byteCount: 4 * logits.rows * logits.columns, flopCount: logits.rows * logits.columns) }
    public var tolerance: Tolerance { Tolerance(0, because: "sums of integers") }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        // Rows, logits, number of logits to draw from.
        let shapes = [
            (1, 129_280, 128_815), (1, 163_840, 163_840), (24, 512, 509), (7, 101, 101), (3, 3, 3), (2, 1, 1),
        ]
        return shapes.map { rows, columns, count in
            KernelCase("\(rows) rows of \(columns)") { bench throws(GPUError) in
                Sample(
                    logits: try bench.tensor("logits", [rows, columns], .normal(3)),
                    rules: try bench.rules(rows, among: count),
                    result: try bench.output("result", .u32, [2, rows]))
            }
        } + [
            KernelCase("equal values, both zeros, Inf and NaN") { bench throws(GPUError) in
                let rows = 36
                var values = (0..<rows * 300).map { Float(Int(bench.random.next() % 5) - 2) * ($0 % 2 == 0 ? 1 : -1) }
                for (index, value) in [(7, Float.nan), (309, .infinity), (700, -.infinity), (701, 1e30)] {
                    values[index] = value
                }
                for index in 900..<1200 { values[index] = .nan }
                return Sample(
                    logits: try bench.tensor("logits", [rows, 300], .floats(values)),
                    rules: try bench.rules(rows, among: 300), result: try bench.output("result", .u32, [2, rows]))
            }
        ]
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        guard phase == .decode else { return [] }
        let count = model.vocabularySize
        return [
            ModelCase { bench, tokens throws(GPUError) in
                var rule = DrawRule(temperature: 0.6, topP: 0.95)
                rule.random = 1 << 31
                let rules = (0..<tokens).flatMap { _ in words(rule, among: count) }
                return Sample(
                    logits: try bench.tensor("logits", [tokens, count], .normal(3)),
                    rules: try bench.tensor("rules", .u32, [tokens, ruleWidth], .words(rules)),
                    result: try bench.output("result", .u32, [2, tokens]))
            }
        ]
    }
}

extension Workbench {
    /// A rule for each row, with every combination of options in turn.
    mutating func rules(_ rows: Int, among count: Int) throws(GPUError) -> Tensor {
        let words = (0..<rows).flatMap { row in
            var rule = DrawRule(
                temperature: [0.6, 1, 5][row % 3], topK: [0, 40, 1, 2][row / 2 % 4],
                topP: [0.95, 1, 0.3, 0][row / 3 % 4], minP: [0, 0, 0.05, 1][row / 5 % 4])
            rule.random = UInt32(truncatingIfNeeded: random.next())
            return Sample.words(row % 11 == 10 ? .best : rule, among: count)
        }
        return try tensor("rules", .u32, [rows, Sample.ruleWidth], .words(words))
    }
}
