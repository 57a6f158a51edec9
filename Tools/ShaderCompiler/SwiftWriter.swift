import Foundation

/// Writes the Swift type of a shader.
struct SwiftWriter {
    let name: String
    let reflection: Reflection
    let words: [UInt32]
    let comment: [String]

    /// The Swift type of the shader in the file `name`.comp.
    private static func typeName(_ name: String) -> String {
        lowerCamelCase(name).prefix(1).uppercased() + lowerCamelCase(name).dropFirst() + "Shader"
    }

    /// A type that lists every shader's module.
    static func list(_ names: [String]) -> String {
        "// Generated. Do not edit.\nimport GPU\n\n/// Every shader of the program.\npublic enum AllShaders {\n"
            + "    public static let modules: [ShaderModule] = [\n"
            + names.map { "        \(typeName($0)).module,\n" }.joined() + "    ]\n}\n"
    }

    func text() -> String {
        let type = Self.typeName(name)
        let bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        let base64 = Data(bytes).base64EncodedString()
        // FNV-1a, 64 bits: tells one build of a shader from another in caches and reports.
        let hash = bytes.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        let constants = reflection.constants
        let params = reflection.params
        let bindings = reflection.bindings
        var out = "// Generated from \(name).comp. Do not edit.\nimport GPU\n\n"
        for line in comment { out += line.isEmpty ? "///\n" : "/// \(line)\n" }
        out += "public struct \(type): ComputeShader {\n"
        let constantWords = constants.map { "(\($0.id), \(bits($0.name, $0.type)))" }.joined(separator: ", ")
        out += record(
            "Constants", constants.map { ($0.name, $0.type, defaultText($0)) }, conformance: "ShaderConstants",
            members: "        public var words: [(id: UInt32, bits: UInt32)] { [\(constantWords)] }\n")
        out += record("Params", params.map { ($0.name, $0.type, nil) })
        out += record("Bindings", bindings.map { ($0.name, "BufferView", nil) })
        out += "    public var constants: Constants\n    public var params: Params\n    public var bindings: Bindings\n"
        out += "    public init(constants: Constants = Constants(), params: Params, bindings: Bindings) {\n"
        out +=
            "        self.constants = constants\n        self.params = params\n        self.bindings = bindings\n    }\n"
        out +=
            "    public static let module = ShaderModule(\n        name: \"\(name)\",\n        spirvBase64: \"\(base64)\",\n"
        out +=
            "        bindings: ["
            + bindings.map { ".init(name: \"\($0.name)\", access: .\($0.access))" }.joined(separator: ", ") + "],\n"
        out += "        constants: ["
        out += constants.map { ".init(name: \"\($0.name)\", id: \($0.id), defaultBits: \($0.defaultBits))" }.joined(
            separator: ", ")
        out += "],\n        pushConstantByteCount: \(params.count * 4),\n"
        out += "        workgroupSize: \(reflection.workgroupSize.source),\n"
        let arrays = reflection.sharedArrays.map {
            ".init(lengths: \($0.lengths.source), elementByteCount: \($0.elementByteCount))"
        }
        out += "        sharedArrays: [\(arrays.joined(separator: ", "))],\n"
        out += "        capabilities: [" + reflection.capabilities.map { "\"\($0)\"" }.joined(separator: ", ") + "],\n"
        out += "        hash: 0x\(String(hash, radix: 16)))\n"
        out +=
            "    public var pushConstantWords: [UInt32] { ["
            + params.map { bits("params.\($0.name)", $0.type) }.joined(separator: ", ") + "] }\n"
        out +=
            "    public var views: [BufferView] { [" + bindings.map { "bindings.\($0.name)" }.joined(separator: ", ")
            + "] }\n}\n"
        return out
    }

    private func record(
        _ name: String, _ fields: [(name: String, type: String, value: String?)], conformance: String = "Sendable",
        members: String = ""
    ) -> String {
        var out = "    public struct \(name): \(conformance) {\n"
        for field in fields { out += "        public var \(field.name): \(field.type)\n" }
        let parameters = fields.map { "\($0.name): \($0.type)" + ($0.value.map { " = \($0)" } ?? "") }
        out += "        public init(\(parameters.joined(separator: ", "))) {\n"
        for field in fields { out += "            self.\(field.name) = \(field.name)\n" }
        return out + "        }\n\(members)    }\n"
    }

    private func defaultText(_ constant: Reflection.Constant) -> String {
        switch constant.type {
        case "Float": "Float(bitPattern: \(constant.defaultBits))"
        case "Int32": "Int32(bitPattern: \(constant.defaultBits))"
        case "Bool": constant.defaultBits == 0 ? "false" : "true"
        default: "\(constant.defaultBits)"
        }
    }

    private func bits(_ value: String, _ type: String) -> String {
        switch type {
        case "Float": "\(value).bitPattern"
        case "Int32": "UInt32(bitPattern: \(value))"
        case "Bool": "(\(value) ? 1 : 0)"
        default: value
        }
    }
}

extension [ConstantExpression] {
    fileprivate var source: String { "[\(map(\.source).joined(separator: ", "))]" }
}

extension ConstantExpression {
    /// As a Swift expression.
    fileprivate var source: String {
        switch self {
        case .literal(let value): ".literal(\(value))"
        case .constant(let id, let defaultBits): ".constant(id: \(id), defaultBits: \(defaultBits))"
        case .operation(let operation, let operands): ".operation(.\(operation.rawValue), \(operands.source))"
        }
    }
}
