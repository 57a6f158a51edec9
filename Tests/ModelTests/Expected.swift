import FixtureSupport
import Foundation

/// What another implementation computed: the oracle's expected.safetensors.
struct Expected {
    private let data: Data
    private let entries: [String: (offset: Int, byteCount: Int)]

    init(_ oracle: Oracle) throws {
        data = try Data(contentsOf: URL(fileURLWithPath: try oracle.folder() + "/expected.safetensors"))
        let length = Int(data.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        let header = try JSONSerialization.jsonObject(with: data[8..<8 + length]) as! [String: [String: Any]]
        var entries: [String: (Int, Int)] = [:]
        for (name, entry) in header {
            guard let offsets = entry["data_offsets"] as? [Int] else { continue }
            entries[name] = (8 + length + offsets[0], offsets[1] - offsets[0])
        }
        self.entries = entries
    }

    func floats(_ name: String) -> [Float] { values(name) }
    func integers(_ name: String) -> [Int] { (values(name) as [Int64]).map { Int($0) } }
    func has(_ name: String) -> Bool { entries[name] != nil }

    private func values<T: BitwiseCopyable>(_ name: String) -> [T] {
        let entry = entries[name]!
        return data.withUnsafeBytes { raw in
            (0..<entry.byteCount / MemoryLayout<T>.size).map {
                raw.loadUnaligned(fromByteOffset: entry.offset + $0 * MemoryLayout<T>.size, as: T.self)
            }
        }
    }
}
