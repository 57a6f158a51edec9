import JSON
import Numerics

/// A tensor as a file's header describes it.
struct SafetensorsEntry {
    var name: String
    var type: ElementType
    var shape: [Int]
    /// Bytes from the start of the file's data.
    var range: Range<Int>
}

/// The header of a safetensors file: eight bytes of length, a JSON object of tensors, then their data.
///
/// Everything the file claims is checked here once, so that nothing that reads tensors later has to.
struct SafetensorsHeader {
    static let maximumLength = 100_000_000
    static let advice = "the file is damaged or incomplete: download it again"

    /// Sorted by offset.
    let entries: [SafetensorsEntry]
    /// Where the data starts in the file.
    let dataOffset: Int

    init(_ file: RandomAccessFile) throws(CheckpointError) {
        func damaged(_ expected: String, _ found: String) -> CheckpointError {
            CheckpointError(file.name, expected: expected, found: found, advice: Self.advice)
        }
        guard file.byteCount >= 8 else { throw damaged("a safetensors header", "\(file.byteCount) bytes") }
        let stored = try file.bytes(at: 0, count: 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard stored <= UInt64(Self.maximumLength) else {
            throw damaged("a header of at most \(Self.maximumLength) bytes", "a length of \(stored)")
        }
        let length = Int(stored)
        guard length >= 2, length <= file.byteCount - 8 else {
            throw damaged("a header within the file's \(file.byteCount) bytes", "a length of \(stored)")
        }
        let json = try file.bytes(at: 8, count: length)
        entries = try Self.entries(json: json, name: file.name)
        let end = entries.last?.range.upperBound ?? 0
        // The end is at most Int.max; the rest of the sum is small only after this comparison.
        guard end == file.byteCount - 8 - length else {
            throw damaged("\(end) bytes of data after the header", "\(file.byteCount - 8 - length)")
        }
        dataOffset = 8 + length
    }

    /// The tensors that a header's JSON lists, sorted by offset, their data without gaps from 0 on.
    static func entries(json: [UInt8], name: String) throws(CheckpointError) -> [SafetensorsEntry] {
        func damaged(_ expected: String, _ found: String) -> CheckpointError {
            CheckpointError(name, expected: expected, found: found, advice: Self.advice)
        }
        guard json.first == UInt8(ascii: "{") else {
            throw damaged("a header that starts with {", json.first.map { "byte \($0)" } ?? "nothing")
        }

        var entries = try readingJSON(advice: Self.advice) { () throws(JSONError) in
            try JSONReader.read(json, name: name) { (reader) throws(JSONError) in try Self.parse(&reader) }
        }
        entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        var names = Set<String>(minimumCapacity: entries.count)
        var end = 0
        for entry in entries {
            guard names.insert(entry.name).inserted else {
                throw damaged("each tensor once", "\(entry.name) twice")
            }
            guard entry.range.lowerBound == end else {
                throw CheckpointError(
                    "\(name): \(entry.name)", expected: "data at offset \(end), where the tensor before it ends",
                    found: "\(entry.range.lowerBound)", advice: Self.advice)
            }
            guard let size = Self.byteCount(entry.shape, entry.type), size == entry.range.count else {
                throw CheckpointError(
                    "\(name): \(entry.name)",
                    expected: "\(entry.type) \(entry.shape) to take as many bytes as its offsets span",
                    found: "\(entry.range.count) bytes", advice: Self.advice)
            }
            end = entry.range.upperBound
        }
        return entries
    }

    /// What a file begins with: its header's length.
    static func length(_ byteCount: Int) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: UInt64(byteCount) >> (8 * $0)) }
    }

    /// The bytes a tensor takes; nil beyond 64 bits.
    static func byteCount(_ shape: [Int], _ type: ElementType) -> Int? {
        var size = type.byteCount
        for dimension in shape {
            let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
            if overflow || dimension < 0 { return nil }
            size = product
        }
        return size
    }

    private static func parse(_ reader: inout JSONReader) throws(JSONError) -> [SafetensorsEntry] {
        var entries: [SafetensorsEntry] = []
        var hasMetadata = false
        try reader.beginObject()
        while let name = try reader.nextKey() {
            let value = JSONField(try reader.readValue(), name: "\(reader.name): \(name)")
            guard name == "__metadata__" else {
                entries.append(try entry(name, value))
                continue
            }
            guard !hasMetadata else { throw value.error(expected: "metadata once", found: "the key twice") }
            hasMetadata = true
            for member in try value.object() { _ = try member.field.string() }
        }
        return entries
    }

    private static func entry(_ name: String, _ value: JSONField) throws(JSONError) -> SafetensorsEntry {
        let typeField = try value["dtype"]
        guard let type = ElementType(safetensorsName: try typeField.string()) else {
            throw typeField.error(
                expected: "one of " + ElementType.allCases.map(\.safetensorsName).joined(separator: ", "))
        }
        let shape = try naturals(value["shape"])
        let offsets = try naturals(value["data_offsets"])
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw try value["data_offsets"].error(expected: "a start and an end not before it", found: "\(offsets)")
        }
        return SafetensorsEntry(name: name, type: type, shape: shape, range: offsets[0]..<offsets[1])
    }

    private static func naturals(_ field: JSONField) throws(JSONError) -> [Int] {
        var values: [Int] = []
        for element in try field.array() {
            let value = try element.int()
            guard value >= 0 else { throw element.error(expected: "an integer from 0 on") }
            values.append(value)
        }
        return values
    }
}
