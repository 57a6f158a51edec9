// The numbers of SPIR-V 1.6 that reflection uses, by the specification's names.

enum Opcode: UInt32 {
    case sourceContinued = 2, source, sourceExtension, name, memberName, string, line
    case executionMode = 16, capability
    case typeBool = 20, typeInt, typeFloat, typeVector
    case typeArray = 28, typeStruct = 30, typePointer = 32
    case constantTrue = 41, constantFalse, constant
    case specConstantTrue = 48, specConstantFalse, specConstant
    case specConstantOp = 52
    case functionCall = 57, variable = 59, load = 61, store
    case accessChain = 65, inBoundsAccessChain, ptrAccessChain
    case decorate = 71, memberDecorate, copyObject = 83
    case iAdd = 128, iSub = 130, iMul = 132, uDiv = 134, uMod = 137
    case logicalEqual = 164, logicalNotEqual, logicalOr, logicalAnd, logicalNot, select
    case iEqual = 170, iNotEqual, uGreaterThan, uGreaterThanEqual = 174, uLessThan = 176, uLessThanEqual = 178
    case shiftRightLogical = 194, shiftLeftLogical = 196
    case atomicLoad = 227, atomicStore, atomicExchange, atomicCompareExchange, atomicCompareExchangeWeak
    case atomicIIncrement, atomicIDecrement, atomicIAdd, atomicISub, atomicSMin, atomicUMin, atomicSMax, atomicUMax
    case atomicAnd, atomicOr, atomicXor
    case noLine = 317, moduleProcessed = 330, executionModeId
    case cooperativeMatrixLoad = 4457, cooperativeMatrixStore

    /// Names, source text and lines: nothing that a driver compiles.
    var isDebugInformation: Bool {
        switch self {
        case .sourceContinued, .source, .sourceExtension, .name, .memberName, .string, .line, .noLine, .moduleProcessed:
            true
        default: false
        }
    }
}

enum ExecutionMode: UInt32 { case localSize = 17, localSizeId = 38 }

enum Decoration: UInt32 {
    case specId = 1, nonWritable = 24, nonReadable, binding = 33, descriptorSet, offset
}

enum StorageClass: UInt32 { case workgroup = 4, pushConstant = 9, storageBuffer = 12 }

enum Capability: UInt32 {
    case matrix = 0, shader
    case float16 = 9, float64, int64
    case int16 = 22, int8 = 39
    case groupNonUniform = 61, groupNonUniformVote, groupNonUniformArithmetic, groupNonUniformBallot
    case groupNonUniformShuffle, groupNonUniformShuffleRelative, groupNonUniformClustered, groupNonUniformQuad
    case float8 = 4212, float8CooperativeMatrix
    case storageBuffer16BitAccess = 4433, storageBuffer8BitAccess = 4448
    case vulkanMemoryModel = 5345, vulkanMemoryModelDeviceScope
    case cooperativeMatrix = 6022

    /// The name of a capability as `ShaderModule.capabilities` lists it: its number where this list does not have it.
    static func name(_ number: UInt32) -> String { Capability(rawValue: number).map { "\($0)" } ?? "\(number)" }
}
