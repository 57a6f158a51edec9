import Foundation
import JSON

/// Reads safetensors files that the program wrote, without using the program's reader.
public struct SafetensorsReader {
    private let data: Data
    private let header: JSONField
    private let start: Int

    public init(path: String) throws {
        data = try Data(contentsOf: URL(fileURLWithPath: path))
        let length = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        header = try JSONField(parsing: [UInt8](data[8..<8 + length]), name: path)
        start = 8 + length
    }

    public func shape(_ name: String) throws -> [Int] { try header[name]["shape"].array().map { try $0.int() } }

    public var names: Set<String> { get throws { Set(try header.object().map(\.key)).subtracting(["__metadata__"]) } }

    public func floats(_ name: String) throws -> [Float] {
        try bytes(name, "F32").withUnsafeBytes { raw in
            (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
    }

    public func integers(_ name: String) throws -> [Int64] {
        try bytes(name, "I64").withUnsafeBytes { raw in
            (0..<raw.count / 8).map { raw.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self) }
        }
    }

    private func bytes(_ name: String, _ type: String) throws -> Data {
        let entry = try header[name]
        guard try entry["dtype"].string() == type else { throw entry.error(expected: type) }
        let offsets = try entry["data_offsets"].array().map { try $0.int() }
        return data[start + offsets[0]..<start + offsets[1]]
    }
}
