import FoundationEssentials

/// How a shader uses one of its buffers: its `readonly` and `writeonly` qualifiers.
public enum Access: String, Sendable { case read, write, readWrite }

/// A compiled shader and what reflection found in it. The build generates one for each file in Shaders/.
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

    /// One dimension of the workgroup.
    public enum Extent: Sendable { case literal(UInt32), constant(id: UInt32, defaultValue: UInt32) }

    public let name: String
    public let spirvBase64: StaticString
    /// In binding order, all in set 0.
    public let bindings: [Binding]
    public let constants: [Constant]
    public let pushConstantByteCount: Int
    public let workgroupSize: (Extent, Extent, Extent)
    /// Workgroup memory at the constants' defaults.
    public let sharedByteCount: Int
    public let capabilities: [String]
    public let hash: UInt64

    public init(
        name: String, spirvBase64: StaticString, bindings: [Binding], constants: [Constant], pushConstantByteCount: Int,
        workgroupSize: (Extent, Extent, Extent), sharedByteCount: Int, capabilities: [String], hash: UInt64
    ) {
        self.name = name
        self.spirvBase64 = spirvBase64
        self.bindings = bindings
        self.constants = constants
        self.pushConstantByteCount = pushConstantByteCount
        self.workgroupSize = workgroupSize
        self.sharedByteCount = sharedByteCount
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

/// What the build generates for each shader: its constants, parameters and buffers as one Swift value.
public protocol ComputeShader: Sendable {
    static var module: ShaderModule { get }
    /// The push constants as 32-bit words, in the shader's order.
    var pushConstantWords: [UInt32] { get }
    var constantWords: [(id: UInt32, bits: UInt32)] { get }
    /// The buffers in binding order.
    var views: [BufferView] { get }
}
