import Cache
import Numerics

@testable import Model

/// Rows with results and their kind in a word.
struct Output: Sendable, Equatable {
    var rows: StepItem.ResultRows
    var kind = StepItem.ResultKind.logits

    static let none = Output(rows: .none)
    static let last = Output(rows: .last(1))
    static let all = Output(rows: .all)
    static func best(among count: Int) -> Output { Output(rows: .last(1), kind: .best(among: count)) }
    static func drawn(among count: Int, by rule: DrawRule) -> Output {
        Output(rows: .last(1), kind: .drawn(among: count, by: [rule]))
    }
}

extension StepItem {
    init(_ phase: StepPhase = .prefill, sequence: SequenceID, tokens: [Int32], output: Output) {
        self.init(phase, sequence: sequence, tokens: tokens, rows: output.rows, kind: output.kind)
    }
}

extension StepResult {
    /// The last row's token.
    var token: Int32? { tokens.last }
}
