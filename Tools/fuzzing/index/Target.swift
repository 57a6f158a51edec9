import Checkpoint

/// A model.safetensors.index.json over the two files of a small model: what opens is the whole model, each tensor from the
/// file that holds it.
func fuzz(_ input: UnsafeRawBufferPointer) {
    var files = SmallModel.files
    files["model.safetensors.index.json"] = input
    let source = CheckpointSource.memory(name: "input", files)
    let found = survey(source)
    // Opening reads the same again and stops at the first fault: one in eight will do of what is known to have one.
    guard found?.problems.isEmpty == true || input.count % 8 == 0 else { return }
    guard let checkpoint = open(source, found) else { return }
    check(checkpoint.tensors.count == SmallModel.shards.count, "\(checkpoint.tensors.count) tensors")
    for (name, shard) in SmallModel.shards {
        check(checkpoint[name]?.shard == shard, "\(name) is not taken from \(shard)")
    }
}
