import Checkpoint
import Foundation
import JSON
import Numerics

/// A V3 model of a few kilobytes, which tests can change before writing it.
public struct TinyCheckpoint {
    public var config: [String: JSONValue] = [
        "model_type": "deepseek_v3", "vocab_size": 8, "hidden_size": 16, "intermediate_size": 12,
        "moe_intermediate_size": 4, "num_hidden_layers": 2, "num_attention_heads": 2, "q_lora_rank": 6,
        "kv_lora_rank": 8, "qk_nope_head_dim": 4, "qk_rope_head_dim": 4, "v_head_dim": 4, "n_routed_experts": 4,
        "n_shared_experts": 1, "num_experts_per_tok": 2, "n_group": 2, "topk_group": 1, "routed_scaling_factor": 2.5,
        "norm_topk_prob": true, "scoring_func": "sigmoid", "topk_method": "noaux_tc", "first_k_dense_replace": 1,
        "num_nextn_predict_layers": 1, "max_position_embeddings": 64, "bos_token_id": 0, "eos_token_id": [1, 2],
        "quantization_config": [
            "quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128], "activation_scheme": "dynamic",
        ],
    ]
    public var tensors: [String: (shape: [Int], type: ElementType)] = [:]
    public var hasIndex = true

    /// All tensors that the config requires, in FP8 where possible.
    public init(_ changes: [String: JSONValue] = [:]) throws {
        config.merge(changes) { $1 }
        for tensor in WeightList(try parsedConfig(), hasMTP: true) {
            if tensor.isQuantisable {
                tensors[tensor.name] = (tensor.shape, .fp8E4M3)
                tensors[HuggingFaceNames().name(of: .blockScales, of: tensor.name)] = (
                    tensor.shape.map(BlockScaling.blockCount), .f32
                )
            } else {
                tensors[tensor.name] = (tensor.shape, .bf16)
            }
        }
    }

    public var configJSON: [UInt8] {
        Array(JSONValue.object(config.map { JSONMember($0.key, $0.value) }).serialized().utf8)
    }

    public func parsedConfig() throws(CheckpointError) -> ModelConfig {
        try ModelConfig(json: configJSON, name: "config.json")
    }

    /// The bytes written for a tensor. Clears the highest exponent bit, so that every element is finite.
    public static func bytes(_ name: String, _ shape: [Int], _ type: ElementType) -> [UInt8] {
        (0..<shape.reduce(type.byteCount, *)).map { index in
            let byte = UInt8(truncatingIfNeeded: index + name.utf8.count)
            return (index + 1).isMultiple(of: type.byteCount) ? byte & 0xBF : byte
        }
    }

    /// Writes the files to a folder, calls `spoil` with it, and opens it.
    @discardableResult
    public func open(_ spoil: (String) throws -> Void = { _ in }) throws -> Checkpoint {
        let folder = try TemporaryFolder()
        try Data(configJSON).write(to: folder.url("config.json"))
        let names = tensors.keys.sorted()
        let all = names.map { name -> SafetensorsWriter.Tensor in
            let (shape, type) = tensors[name]!
            return (name, shape, type, Self.bytes(name, shape, type))
        }
        if hasIndex {
            var map: [JSONMember] = []
            for part in 0..<2 {
                let shard = "model-0000\(part + 1)-of-00002.safetensors"
                let some = all.enumerated().filter { $0.offset % 2 == part }.map(\.element)
                try SafetensorsWriter.write(tensors: some, to: folder.path + "/" + shard)
                map += some.map { JSONMember($0.name, .string(shard)) }
            }
            let index = JSONValue.object([JSONMember("weight_map", .object(map))]).serialized()
            try Data(index.utf8).write(to: folder.url("model.safetensors.index.json"))
        } else {
            try SafetensorsWriter.write(tensors: all, to: folder.path + "/model.safetensors")
        }
        try spoil(folder.path)
        return try Checkpoint(.folder(folder.path))
    }

    /// The error of opening the checkpoint, or nil.
    public func complaint(_ spoil: (String) throws -> Void = { _ in }) throws -> String? {
        do { try open(spoil) } catch let error as CheckpointError { return error.description }
        return nil
    }
}

/// A temporary folder, removed with its last reference.
public final class TemporaryFolder {
    public let path: String

    public init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("checkpoint-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    public func url(_ name: String) -> URL { URL(fileURLWithPath: path).appendingPathComponent(name) }
}
