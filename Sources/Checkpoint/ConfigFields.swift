import JSON

/// Reads a config's fields, with ranges and defaults.
struct ConfigFields {
    let root: JSONField

    func field(_ key: String) throws(CheckpointError) -> JSONField? {
        try readingJSON { () throws(JSONError) in try root[key].present }
    }

    /// An integer within `range`. Throws if it is absent and there is no default.
    func int(_ key: String, in range: ClosedRange<Int>, default fallback: Int? = nil) throws(CheckpointError) -> Int {
        guard let field = try field(key) else {
            if let fallback { return fallback }
            throw try error(key, expected: "an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return try readingJSON { () throws(JSONError) in
            let value = try field.int()
            guard range.contains(value) else {
                throw field.error(expected: "an integer from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
    }

    func evenInt(_ key: String, in range: ClosedRange<Int>) throws(CheckpointError) -> Int {
        let value = try int(key, in: range)
        guard value.isMultiple(of: 2) else { throw try error(key, expected: "an even number") }
        return value
    }

    func double(
        _ key: String, in range: ClosedRange<Double>, default fallback: Double? = nil
    ) throws(CheckpointError) -> Double {
        guard let field = try field(key) else {
            if let fallback { return fallback }
            throw try error(key, expected: "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return try readingJSON { () throws(JSONError) in
            let value = try field.double()
            guard range.contains(value) else {
                throw field.error(expected: "a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
    }

    func bool(_ key: String, default fallback: Bool) throws(CheckpointError) -> Bool {
        guard let field = try field(key) else { return fallback }
        return try readingJSON { () throws(JSONError) in try field.bool() }
    }

    func string(_ key: String) throws(CheckpointError) -> String? {
        guard let field = try field(key) else { return nil }
        return try readingJSON { () throws(JSONError) in try field.string() }
    }

    /// A value of an enumeration, by its raw value.
    func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, default fallback: Choice
    ) throws(CheckpointError) -> Choice where Choice.RawValue == String {
        guard let text = try string(key) else { return fallback }
        if let choice = Choice(rawValue: text) { return choice }
        throw try error(key, expected: "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", "))
    }

    /// Throws if a flag has a value other than the supported one. It may be absent.
    func require(_ key: String, _ value: Bool) throws(CheckpointError) {
        if try bool(key, default: value) != value {
            throw try error(key, expected: "\(value)", advice: "this variant of the model is not supported")
        }
    }

    /// Token ids: none, one, or several.
    func tokenIDs(_ key: String, vocabSize: Int) throws(CheckpointError) -> [Int32] {
        guard let field = try field(key) else { return [] }
        return try readingJSON { () throws(JSONError) in
            let fields: [JSONField]
            if case .array? = field.value { fields = try field.array() } else { fields = [field] }
            var ids: [Int32] = []
            for field in fields {
                let id = try field.int()
                guard (0..<vocabSize).contains(id) else { throw field.error(expected: "a token id below \(vocabSize)") }
                ids.append(Int32(id))
            }
            return ids
        }
    }

    func error(
        _ key: String, expected: String, advice: CheckpointError.Advice? = nil
    ) throws(CheckpointError) -> CheckpointError {
        try readingJSON { () throws(JSONError) in
            CheckpointError(try root[key].error(expected: expected), .unsupported, advice: advice)
        }
    }
}
