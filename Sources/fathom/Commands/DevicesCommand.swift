import Numerics
import ArgumentParser
import GPU
import JSON
import Terminal

/// Lists what the machine can run on.
struct DevicesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "devices",
        abstract: "Lists the Vulkan devices.",
        discussion:
            "The index or a part of the name is what --device takes. Exits with 0 also where there is no device.")

    @Flag(help: "Print a JSON array with an object for each device.")
    var json = false

    func run() throws {
        let profiles: [DeviceProfile]
        switch try VulkanDevices.look() {
        case .found(let found): profiles = found
        case .none(let reason):
            if json { try Output.standard.print("[]\n") }
            return try note("\(reason); --device cpu works without")
        }
        if json {
            try Output.standard.print(JSONValue.array(profiles.map(\.json)).serialized(pretty: true) + "\n")
        } else {
            try Output.standard.print(profiles.map(\.summary).joined(separator: "\n"))
        }
    }
}

extension DeviceProfile {
    /// A few lines for people.
    fileprivate var summary: String {
        let memory = heaps.map { heap in
            let place = heap.isDeviceLocal ? (heap.isHostVisible ? "shared" : "device") : "host"
            return "\(byteText(heap.byteCount)) \(place), \(byteText(heap.budget)) free"
        }
        let shapes = matrixShapes.filter { $0.scope == .subgroup }.map(\.text)
        let rows = [
            ("kind", kind.rawValue),
            ("driver", "\(driverName) \(driverInfo)".trimmed),
            ("Vulkan", apiVersionText),
            ("memory", memory.joined(separator: "; ")),
            (
                "subgroups",
                minSubgroupSize == maxSubgroupSize
                    ? "\(subgroupSize)" : "\(subgroupSize) (\(minSubgroupSize) to \(maxSubgroupSize))"
            ),
            (
                "compute units",
                computeUnitCount.map { "\($0)" } ?? "not told, \(Self.usualComputeUnitCount) assumed"
            ),
            ("shared memory", byteText(maxSharedByteCount)),
            ("numbers", numberFormats.isEmpty ? "32-bit only" : numberFormats.joined(separator: ", ")),
            ("matrix units", shapes.isEmpty ? "none" : shapes.joined(separator: ", ")),
        ]
        return "\(index): \(name)\n"
            + rows.map { "   \($0.0)\(String(repeating: " ", count: 15 - $0.0.count))\($0.1)\n" }.joined()
    }

    fileprivate var json: JSONValue {
        .object([
            JSONMember("index", JSONValue(index)),
            JSONMember("name", JSONValue(name)),
            JSONMember("kind", JSONValue(kind.rawValue)),
            JSONMember("driver", JSONValue(driverName)),
            JSONMember("driver_info", JSONValue(driverInfo)),
            JSONMember("vulkan", JSONValue(apiVersionText)),
            JSONMember(
                "heaps",
                .array(
                    heaps.map { heap in
                        .object([
                            JSONMember("bytes", JSONValue(heap.byteCount)),
                            JSONMember("budget_bytes", JSONValue(heap.budget)),
                            JSONMember("device_local", JSONValue(heap.isDeviceLocal)),
                            JSONMember("host_visible", JSONValue(heap.isHostVisible)),
                        ])
                    })),
            JSONMember("subgroup_size", JSONValue(subgroupSize)),
            JSONMember("min_subgroup_size", JSONValue(minSubgroupSize)),
            JSONMember("max_subgroup_size", JSONValue(maxSubgroupSize)),
            JSONMember("compute_units", computeUnitCount.map { JSONValue($0) } ?? .null),
            JSONMember("shared_memory_bytes", JSONValue(maxSharedByteCount)),
            JSONMember("max_storage_buffer_bytes", JSONValue(maxStorageBufferRange)),
            JSONMember("max_allocation_bytes", JSONValue(maxAllocationByteCount)),
            JSONMember("number_formats", .array(numberFormats.map { JSONValue($0) })),
            JSONMember(
                "matrix_shapes",
                .array(
                    matrixShapes.map { shape in
                        .object([
                            JSONMember("m", JSONValue(shape.m)),
                            JSONMember("n", JSONValue(shape.n)),
                            JSONMember("k", JSONValue(shape.k)),
                            JSONMember("a", JSONValue(shape.aType.name)),
                            JSONMember("b", JSONValue(shape.bType.name)),
                            JSONMember("c", JSONValue(shape.cType.name)),
                            JSONMember("result", JSONValue(shape.resultType.name)),
                            JSONMember(
                                "scope", JSONValue(shape.scope == .subgroup ? "subgroup" : "workgroup")),
                        ])
                    })),
        ])
    }

    /// Beyond 32-bit ones.
    private var numberFormats: [String] {
        [("f16", hasFloat16), ("i8", hasInt8), ("8-bit storage", has8BitStorage), ("16-bit storage", has16BitStorage)]
            .filter(\.1).map(\.0)
    }
}

extension DeviceProfile.MatrixShape {
    /// "16×16×16 f16→f32"
    fileprivate var text: String {
        let input = aType == bType ? aType.name : "\(aType.name)·\(bType.name)"
        return "\(m)×\(n)×\(k) \(input)→\(resultType.name)"
    }
}
