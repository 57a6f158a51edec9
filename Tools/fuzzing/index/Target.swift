import Checkpoint
import JSON
import Numerics

/// A model.safetensors.index.json over the two files of a model of one layer: what opens is the whole model, each
/// tensor from the file that holds it.
func fuzz(_ input: UnsafeRawBufferPointer) {
    var files = TinyModel.files
    files["model.safetensors.index.json"] = input
    do throws(CheckpointError) {
        let checkpoint = try Checkpoint(.memory(name: "input", files))
        check(checkpoint.tensors.count == TinyModel.shards.count, "\(checkpoint.tensors.count) tensors")
        for (name, shard) in TinyModel.shards {
            check(checkpoint[name]?.shard == shard, "\(name) is not taken from \(shard)")
        }
    } catch {
        check(!error.description.isEmpty, "an empty description")
    }
}

/// A model of one dense layer in two files, in memory that is never given back.
private enum TinyModel {
    private static let tensors: [ExpectedTensor] = {
        let config = try! ModelConfig(json: bytes(Self.config), name: "config.json")
        return WeightMap.expected(config, hasMTP: false)
    }()

    /// Each tensor's file.
    static let shards = Dictionary(
        uniqueKeysWithValues: tensors.map { ($0.name, $0.layer == nil ? "a.safetensors" : "b.safetensors") })

    nonisolated(unsafe) static let files: [String: UnsafeRawBufferPointer] = {
        var files = ["config.json": kept(bytes(config))]
        for shard in Set(shards.values) {
            var end = 0
            let members = tensors.filter { shards[$0.name] == shard }.map { tensor in
                let start = end
                end += tensor.shape.reduce(ElementType.bf16.byteCount, *)
                let fields: JSONValue = [
                    "dtype": "BF16", "shape": .array(tensor.shape.map { JSONValue($0) }),
                    "data_offsets": [JSONValue(start), JSONValue(end)],
                ]
                return JSONMember(tensor.name, fields)
            }
            files[shard] = kept(safetensors(header: bytes(JSONValue.object(members).serialized()), dataCount: end))
        }
        return files
    }()

    private static func kept(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        memory.copyBytes(from: bytes)
        return UnsafeRawBufferPointer(memory)
    }

    private static let config = """
        {"model_type": "deepseek_v2", "vocab_size": 8, "hidden_size": 4, "intermediate_size": 4, "num_hidden_layers": 1,
         "num_attention_heads": 1, "kv_lora_rank": 2, "qk_nope_head_dim": 2, "qk_rope_head_dim": 2, "v_head_dim": 2,
         "max_position_embeddings": 64}
        """
}
