import Checkpoint
import JSON
import Numerics

/// A model of one dense layer in two files.
enum SmallModel {
    static let config = try! ModelConfig(json: bytes(configText), name: "config.json")

    private static let tensors = WeightList(config, hasMTP: false)

    /// The file of each tensor.
    static let shards = Dictionary(
        uniqueKeysWithValues: tensors.map { ($0.name, $0.layer == nil ? "a.safetensors" : "b.safetensors") })

    /// The files of the checkpoint, without the index.
    nonisolated(unsafe) static let files: [String: UnsafeRawBufferPointer] = {
        var files = ["config.json": kept(bytes(configText))]
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

    /// The correct index.
    nonisolated(unsafe) static let index: UnsafeRawBufferPointer = {
        let map = shards.sorted { $0.key < $1.key }.map { JSONMember($0.key, .string($0.value)) }
        return kept(bytes((["weight_map": .object(map)] as JSONValue).serialized()))
    }()

    private static let configText = """
        {"model_type": "deepseek_v2", "vocab_size": 8, "hidden_size": 4, "intermediate_size": 4, "num_hidden_layers": 1,
         "num_attention_heads": 1, "kv_lora_rank": 2, "qk_nope_head_dim": 2, "qk_rope_head_dim": 2, "v_head_dim": 2,
         "max_position_embeddings": 64}
        """
}

/// Surveys a checkpoint and checks that every problem has a description.
func survey(_ source: CheckpointSource) -> CheckpointSurvey? {
    guard let survey = try? CheckpointSurvey(source) else { return nil }
    for problem in survey.problems { check(!problem.error.description.isEmpty, "an empty description") }
    return survey
}

/// Opens a checkpoint. Checks that it opens if and only if its survey found no problem, and that its census adds up.
func open(_ source: CheckpointSource, _ survey: CheckpointSurvey?) -> Checkpoint? {
    do throws(CheckpointError) {
        let checkpoint = try Checkpoint(source)
        check(survey?.problems.isEmpty == true, "it opens, but the survey found \(survey?.problems ?? [])")
        let census = ModelCensus(checkpoint.weights, checkpoint.tensors)
        let byteCount = checkpoint.tensors.values.reduce(0) { $0 + $1.byteCount }
        check(census.byteCount == byteCount, "\(census.byteCount) bytes instead of \(byteCount)")
        return checkpoint
    } catch {
        check(!error.description.isEmpty, "an empty description")
        check(survey?.problems.isEmpty != true, "the survey did not find \(error)")
        return nil
    }
}
