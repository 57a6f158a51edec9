import FoundationEssentials

/// How a shader uses one of its buffers, by its `readonly` and `writeonly` qualifiers.
public enum Access: String, Sendable { case read, write, readWrite }

/// A compiled shader with its interface. The build generates one for each file in Shaders/.
public struct ShaderModule: Sendable {
    public struct Binding: Sendable {
        public let name: String
        public let access: Access
        public init(name: String, access: Access) {
            self.name = name
            self.access = access
        }
    }

    public struct Constant: Sendable {
        public let name: String
        public let id: UInt32
        public let defaultBits: UInt32
        public init(name: String, id: UInt32, defaultBits: UInt32) {
            self.name = name
            self.id = id
            self.defaultBits = defaultBits
        }
    }

    public let name: String
    public let spirvBase64: StaticString
    /// In binding order, all in set 0.
    public let bindings: [Binding]
    public let constants: [Constant]
    public let pushConstantByteCount: Int
    /// The extents in x, y and z.
    public let workgroupSize: [ConstantExpression]
    public let sharedArrays: [SharedArray]
    /// SPIR-V's names of the capabilities, with a small first letter.
    public let capabilities: [String]
    public let hash: UInt64

    public init(
        name: String, spirvBase64: StaticString, bindings: [Binding], constants: [Constant], pushConstantByteCount: Int,
        workgroupSize: [ConstantExpression], sharedArrays: [SharedArray], capabilities: [String], hash: UInt64
    ) {
        self.name = name
        self.spirvBase64 = spirvBase64
        self.bindings = bindings
        self.constants = constants
        self.pushConstantByteCount = pushConstantByteCount
        self.workgroupSize = workgroupSize
        self.sharedArrays = sharedArrays
        self.capabilities = capabilities
        self.hash = hash
    }

    /// The SPIR-V words.
    var words: [UInt32] {
        let base64 = spirvBase64.withUTF8Buffer { Data($0) }
        guard let bytes = Data(base64Encoded: base64), bytes.count % 4 == 0 else {
            preconditionFailure("\(name): the embedded SPIR-V is not base64 of whole words")
        }
        return bytes.withUnsafeBytes { raw in
            (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
        }
    }
}

extension ShaderModule {
    /// The workgroup's extents in x, y and z at these specialisation constants.
    public func workgroupSize(_ constants: [(id: UInt32, bits: UInt32)]) -> [Int] {
        workgroupSize.map { Int($0.value(constants)) }
    }

    /// The bytes of shared memory at these specialisation constants, variables packed tightly.
    public func sharedByteCount(_ constants: [(id: UInt32, bits: UInt32)]) -> Int {
        sharedArrays.reduce(0) { $0 + $1.byteCount(constants) }
    }

    /// The size of subgroup that the shader works with, given by its constant REQUIRED_SUBGROUP; nil without one.
    public func requiredSubgroupSize(_ constants: [(id: UInt32, bits: UInt32)]) -> Int? {
        self.constants.first { $0.name == "requiredSubgroup" }.map { constant in
            Int(constants.first { $0.id == constant.id }?.bits ?? constant.defaultBits)
        }
    }
}

/// A shader's specialisation constants by name, with their defaults.
public protocol ShaderConstants: Hashable, Sendable {
    /// By ascending id.
    var words: [(id: UInt32, bits: UInt32)] { get }
}

/// One use of a shader: its constants, parameters and buffers. The build generates a type for each shader.
public protocol ComputeShader: Sendable {
    associatedtype Constants: ShaderConstants
    static var module: ShaderModule { get }
    var constants: Constants { get }
    /// The push constants as 32-bit words, in the shader's order.
    var pushConstantWords: [UInt32] { get }
    /// The buffers in binding order.
    var views: [BufferView] { get }
}

extension ComputeShader {
    /// The bytes of shared memory at these constants.
    public static func sharedByteCount(_ constants: Constants) -> Int { module.sharedByteCount(constants.words) }
}
