import Numerics

extension Profile {
    /// The table's columns. Raw values are the names by which a user selects the sort order.
    public enum Column: String, CaseIterable, Sendable {
        case kernel, variant, shape, dispatches, total, share, mean
        case least = "min"
        case p50, p99
        case bytes = "gb/s"
        case flops = "tflop/s"
        case limit, bound, gap, registers, spills, shared, subgroup

        /// Columns that only some drivers provide.
        static let code: [Column] = [.registers, .spills, .shared, .subgroup]
    }

    /// The time by which rows are weighted: the total in `.run`; one use in `.kernels`, where the profiler chooses the
    /// number of samples.
    func time(of row: Row) -> Double { mode == .run ? row.total : row.p50 }
}

/// The table's cells for terminal and page: texts, and keys for sorting.
struct Tabulation {
    typealias Column = Profile.Column
    typealias Row = Profile.Row

    enum Key {
        case number(Double)
        case text(String)
        case missing
    }

    let profile: Profile
    /// All columns; without the columns about compiled code if the driver reports no statistics.
    let columns: [Column]
    private let bytes, flops: RateUnit
    private let total: Double

    init(_ profile: Profile) {
        self.profile = profile
        let tellsCode = profile.rows.contains { row in
            guard let code = row.code else { return false }
            return code.registers != nil || code.spills != nil || code.sharedByteCount != nil
                || code.subgroupSize != nil
        }
        columns = Column.allCases.filter { tellsCode || !Column.code.contains($0) }
        bytes = RateUnit.fitting(profile.rows.map(\.bytesPerSecond), RateUnit.bytes)
        flops = RateUnit.fitting(profile.rows.map(\.flopsPerSecond), RateUnit.flops)
        total = profile.rows.reduce(0) { $0 + profile.time(of: $1) }
    }

    var tellsCode: Bool { columns.contains(.registers) }

    func title(_ column: Column) -> String {
        switch column {
        case .share: return "of all"
        case .bytes: return bytes.name
        case .flops: return flops.name
        case .limit: return "of limit"
        case .bound: return "bound by"
        default: return column.rawValue
        }
    }

    func text(_ column: Column, _ row: Row) -> String {
        switch column {
        case .bytes: return bytes.number(row.bytesPerSecond)
        case .flops: return flops.number(row.flopsPerSecond)
        case .share, .limit: return percentText(number(column, row))
        case .total, .mean, .least, .p50, .p99, .gap: return timeText(number(column, row))
        default:
            switch key(column, row) {
            case .text(let text): return text
            case .number(let value): return fixed(value, 0)
            case .missing: return missingText
            }
        }
    }

    func key(_ column: Column, _ row: Row) -> Key {
        switch column {
        case .kernel: return .text(row.kernel)
        case .variant: return .text(row.variant)
        case .shape: return .text(row.shape)
        case .bound: return row.samples.isEmpty ? .missing : .text(row.floor(profile.limits).bound.rawValue)
        default: return number(column, row).map { $0.isFinite ? .number($0) : .missing } ?? .missing
        }
    }

    /// A cell's number; nil for text columns, for rows without samples, and for values that the driver does not report.
    private func number(_ column: Column, _ row: Row) -> Double? {
        switch column {
        case .dispatches: return Double(row.dispatchCount) * Double(row.useCount ?? row.samples.count)
        case .gap: return row.gap
        case .registers: return row.code?.registers.map(Double.init)
        case .spills: return row.code?.spills.map(Double.init)
        case .shared: return row.code?.sharedByteCount.map(Double.init)
        case .subgroup: return row.code?.subgroupSize.map(Double.init)
        case .kernel, .variant, .shape, .bound: return nil
        default: break
        }
        if row.samples.isEmpty { return nil }
        switch column {
        case .total: return row.total
        case .share: return total > 0 ? profile.time(of: row) / total : nil
        case .mean: return row.mean
        case .least: return row.least
        case .p50: return row.p50
        case .p99: return row.p99
        case .bytes: return row.bytesPerSecond
        case .flops: return row.flopsPerSecond
        case .limit: return row.share(of: profile.limits)
        default: return nil
        }
    }

    /// Rows whose kernel's name contains one of `names` (all rows if `names` is empty). Sorts texts in ascending and
    /// numbers in descending order, missing values last, equal ones in the order of measuring.
    func rows(sortedBy column: Column, matching names: [String] = []) -> [Row] {
        let chosen = profile.rows.filter { row in names.isEmpty || names.contains { row.kernel.contains($0) } }
        let keyed = chosen.enumerated().map { (row: $1, key: key(column, $1), place: $0) }
        return keyed.sorted { first, second in
            switch (first.key, second.key) {
            case (.number(let one), .number(let other)) where one != other: return one > other
            case (.text(let one), .text(let other)) where one != other: return one < other
            case (.missing, .missing): return first.place < second.place
            case (_, .missing): return true
            case (.missing, _): return false
            default: return first.place < second.place
            }
        }.map(\.row)
    }
}
