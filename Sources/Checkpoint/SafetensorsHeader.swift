import JSON
import Numerics

/// A tensor's entry in a safetensors header.
struct SafetensorsEntry {
    var name: String
    var type: ElementType
    var shape: [Int]
    /// Byte range relative to the start of the file's data.
    var range: Range<Int>
}

/// The header of a safetensors file. A file consists of the header's length (8 bytes, little-endian), a JSON object
/// with an entry per tensor, and the data. Checks all entries against each other and against the file's size.
struct SafetensorsHeader {
    static let maximumLength = 100_000_000
    /// Limit of the size of a tensor, and of a file that does not exist yet; low enough that sums do not overflow 64
    /// bits.
    static let maximumByteCount = 1 << 48
    static let advice: CheckpointError.Advice = "the file is damaged or incomplete: download it again"

    /// Sorted by offset.
    let entries: [SafetensorsEntry]
    /// Errors of the entries. If there are none, readers need no further checks.
    private(set) var faults: [CheckpointError]
    /// Offset of the data in the file.
    let dataOffset: Int

    /// Reads and checks a file's header. Throws if it has no readable entries; collects other errors in `faults`.
    init(_ file: RandomAccessFile) throws(CheckpointError) {
        func damaged(_ expected: String, _ found: String) -> CheckpointError {
            CheckpointError(.damaged, file.name, expected: expected, found: found, advice: Self.advice)
        }
        guard file.byteCount >= 8 else { throw damaged("a safetensors header", "\(file.byteCount) bytes") }
        let written = try file.bytes(at: 0, count: 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard written <= UInt64(Self.maximumLength) else {
            throw damaged("a header of at most \(Self.maximumLength) bytes", "a length of \(written)")
        }
        let length = Int(written)
        guard length >= 2, length <= file.byteCount - 8 else {
            throw damaged("a header within the file's \(file.byteCount) bytes", "a length of \(written)")
        }
        let isWhole: Bool
        (entries, faults, isWhole) = try Self.contents(json: file.bytes(at: 8, count: length), name: file.name)
        dataOffset = 8 + length
        let end = entries.map(\.range.upperBound).max() ?? 0
        let stored = file.byteCount - 8 - length
        if end > stored || end < stored && isWhole {
            let cut = entries.filter { $0.range.upperBound > stored }
            let place = cut.first.map { ", within or before \($0.name)" } ?? ""
            let more = cut.count > 1 ? " and \(cut.count - 1) more tensors" : ""
            faults.append(damaged("\(end) bytes of data after the header", "\(stored)" + place + more))
        }
    }

    /// The entries of a header's JSON, sorted by offset. Throws unless their data is contiguous from 0 on.
    static func entries(json: [UInt8], name: String) throws(CheckpointError) -> [SafetensorsEntry] {
        let (entries, faults, _) = try contents(json: json, name: name)
        if let first = faults.first { throw first }
        let end = entries.last?.range.upperBound ?? 0
        guard end <= maximumByteCount else {
            throw CheckpointError(
                .damaged, name, expected: "at most \(maximumByteCount) bytes of data", found: "\(end)")
        }
        return entries
    }

    /// The entries, all their errors, and whether every entry could be read.
    private static func contents(
        json: [UInt8], name: String
    ) throws(CheckpointError) -> (entries: [SafetensorsEntry], faults: [CheckpointError], isWhole: Bool) {
        guard json.first == UInt8(ascii: "{") else {
            throw CheckpointError(
                .damaged, name, expected: "a header that starts with {",
                found: json.first.map { "byte \($0)" } ?? "nothing",
                advice: advice)
        }
        var (entries, unreadable) = try readingJSON(advice: advice) { () throws(JSONError) in
            try JSONReader.read(json, name: name) { (reader) throws(JSONError) in try parse(&reader) }
        }
        entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        var faults = unreadable.map { CheckpointError($0, advice: advice) }
        var names = Set<String>(minimumCapacity: entries.count)
        var end = 0
        for entry in entries {
            func damaged(_ expected: String, _ found: String) -> CheckpointError {
                CheckpointError(.damaged, "\(name): \(entry.name)", expected: expected, found: found, advice: advice)
            }
            if !names.insert(entry.name).inserted { faults.append(damaged("each tensor once", "\(entry.name) twice")) }
            // A gap is no error if an entry could not be read, since its data may be there.
            if entry.range.lowerBound < end || entry.range.lowerBound > end && unreadable.isEmpty {
                faults.append(
                    damaged("data at offset \(end), the end of the previous tensor", "\(entry.range.lowerBound)"))
            }
            if byteCount(entry.shape, entry.type) != entry.range.count {
                faults.append(
                    damaged(
                        "\(entry.type) \(entry.shape) to have as many bytes as its offsets span",
                        "\(entry.range.count) bytes"))
            }
            end = max(end, entry.range.upperBound)
        }
        return (entries, faults, unreadable.isEmpty)
    }

    /// The first eight bytes of a file: the length of its header, little-endian.
    static func length(_ byteCount: Int) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: UInt64(byteCount) >> (8 * $0)) }
    }

    /// The size of a tensor in bytes; nil if the element size times all dimensions but 0 exceeds `maximumByteCount`, so
    /// that multiplying any of its dimensions cannot overflow.
    static func byteCount(_ shape: [Int], _ type: ElementType) -> Int? {
        var size = type.byteCount
        for dimension in shape where dimension != 0 {
            let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
            if overflow || dimension < 0 || product > maximumByteCount { return nil }
            size = product
        }
        return shape.contains(0) ? 0 : size
    }

    /// The readable entries, and the errors of the unreadable ones.
    private static func parse(
        _ reader: inout JSONReader
    ) throws(JSONError) -> (entries: [SafetensorsEntry], unreadable: [JSONError]) {
        var entries: [SafetensorsEntry] = []
        var unreadable: [JSONError] = []
        var hasMetadata = false
        try reader.beginObject()
        while let name = try reader.nextKey() {
            let value = JSONField(try reader.readValue(), name: "\(reader.name): \(name)")
            guard name == "__metadata__" else {
                do throws(JSONError) { entries.append(try entry(name, value)) } catch { unreadable.append(error) }
                continue
            }
            guard !hasMetadata else { throw value.error(expected: "metadata once", found: "the key twice") }
            hasMetadata = true
            for member in try value.object() { _ = try member.field.string() }
        }
        return (entries, unreadable)
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
            throw try value["data_offsets"].error(expected: "[start, end] with start ≤ end", found: "\(offsets)")
        }
        return SafetensorsEntry(name: name, type: type, shape: shape, range: offsets[0]..<offsets[1])
    }

    private static func naturals(_ field: JSONField) throws(JSONError) -> [Int] {
        var values: [Int] = []
        for element in try field.array() {
            let value = try element.int()
            guard value >= 0 else { throw element.error(expected: "an integer that is not negative") }
            values.append(value)
        }
        return values
    }
}
