/// The interface of a compute shader, read from its SPIR-V (SPIR-V specification 1.6, section 3).
struct Reflection {
    struct Member {
        var name: String
        /// Swift's type: UInt32, Int32 or Float.
        var type: String
    }
    struct Binding {
        var name: String
        /// read, write or readWrite
        var access: String
    }
    struct Constant {
        var name: String
        var id: UInt32
        var type: String
        var defaultBits: UInt32
    }

    var bindings: [Binding] = []
    var params: [Member] = []
    var constants: [Constant] = []
    /// The three extents.
    var workgroupSize: [ConstantExpression] = []
    var sharedArrays: [SharedArray] = []
    var capabilities: [String] = []

    /// - Throws: `file:1: error: ` and the rule that the shader breaks.
    init(words: [UInt32], file: String) throws(BuildError) {
        let module: SPIRVModule
        do { module = try SPIRVModule(words) } catch { throw BuildError("\(file):1: error: \(error)") }
        func fail(_ message: String) -> BuildError { BuildError("\(file):1: error: \(message)") }
        capabilities = module.capabilities.map(Capability.name)

        for variable in module.variables {
            let pointee = module.pointee(variable.type)
            switch StorageClass(rawValue: variable.storageClass) {
            case .storageBuffer:
                guard let binding = module.decoration(variable.id, .binding),
                    module.decoration(variable.id, .descriptorSet) == 0
                else {
                    throw fail("buffers need set = 0 and a binding")
                }
                let memberCount = module.structMembers[pointee]?.count ?? 0
                guard memberCount == 1 else {
                    throw fail("a buffer block has one member, an array; found \(memberCount)")
                }
                let instance = module.names[variable.id] ?? ""
                let name = lowerCamelCase(instance.isEmpty ? module.memberNames[pointee]?[0] ?? "" : instance)
                let readOnly =
                    module.memberDecoration(pointee, 0, .nonWritable) != nil
                    || module.decoration(variable.id, .nonWritable) != nil
                let writeOnly =
                    module.memberDecoration(pointee, 0, .nonReadable) != nil
                    || module.decoration(variable.id, .nonReadable) != nil
                if !readOnly, !writeOnly {
                    let uses = (module.loaded.contains(variable.id), module.stored.contains(variable.id))
                    guard uses == (true, true) else {
                        throw fail(
                            "buffer \(name): neither readonly nor writeonly, but the shader does not both read and write it"
                        )
                    }
                }
                while bindings.count <= Int(binding) { bindings.append(Binding(name: "", access: "")) }
                guard bindings[Int(binding)].name.isEmpty else { throw fail("binding \(binding) is declared twice") }
                bindings[Int(binding)] = Binding(
                    name: name, access: readOnly ? "read" : writeOnly ? "write" : "readWrite")
            case .pushConstant:
                guard params.isEmpty else { throw fail("more than one push-constant block") }
                for (index, member) in (module.structMembers[pointee] ?? []).enumerated() {
                    let name = module.memberNames[pointee]?[index] ?? "member \(index)"
                    guard let type = module.scalarType(member) else {
                        throw fail("Params.\(name): only uint, int and float, which Swift and GLSL lay out alike")
                    }
                    guard module.memberDecoration(pointee, index, .offset) == UInt32(index * 4) else {
                        throw fail("Params.\(name): expected offset \(index * 4)")
                    }
                    params.append(Member(name: lowerCamelCase(name), type: type))
                }
            case .workgroup:
                guard let arrays = module.sharedArrays(pointee) else {
                    throw fail(
                        "shared \(module.names[variable.id] ?? "variable"): expected arrays, structures and vectors of "
                            + "numbers, and lengths that +, -, *, /, %, <<, >>, comparisons and ?: make of uint constants"
                    )
                }
                sharedArrays += arrays
            default: break
            }
        }
        if let hole = bindings.firstIndex(where: { $0.name.isEmpty }) {
            throw fail("binding \(hole) is missing: bindings count from 0")
        }
        guard Set(bindings.map(\.name)).count == bindings.count else { throw fail("two buffers share a name") }

        for (id, value) in module.specConstants {
            guard let constantID = module.decoration(id, .specId) else { continue }
            guard let type = module.scalarType(value.type) else { throw fail("specialisation constants have 32 bits") }
            // `local_size_x_id = 5` makes a nameless twin of constant 5.
            guard let name = module.names[id], !name.isEmpty else { continue }
            constants.append(
                Constant(
                    name: lowerCamelCase(name.lowercased()), id: constantID, type: type, defaultBits: value.bits))
        }
        for id in module.specConstants.keys {
            guard let constantID = module.decoration(id, .specId), !constants.contains(where: { $0.id == constantID })
            else {
                continue
            }
            throw fail("constant \(constantID) has no name: declare it with constant_id = \(constantID)")
        }
        constants.sort { $0.id < $1.id }
        guard let size = module.localSize else { throw fail("no workgroup size") }
        workgroupSize = try size.map { (extent) throws(BuildError) in
            guard let extent else { throw fail("a workgroup size that is not computed from 32-bit constants") }
            return extent
        }
    }
}

/// `rows_per_group` and `rowsPerGroup` to `rowsPerGroup`.
func lowerCamelCase(_ name: String) -> String {
    let parts = name.split(separator: "_").map(String.init)
    guard let first = parts.first else { return name }
    return first.prefix(1).lowercased() + first.dropFirst()
        + parts.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
}
