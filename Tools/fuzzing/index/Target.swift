import Checkpoint

/// The input is a model.safetensors.index.json for the two files of a small model. If the checkpoint opens, it is
/// complete and reads each tensor from the file that contains it.
func fuzz(_ input: UnsafeRawBufferPointer) {
    var files = SmallModel.files
    files["model.safetensors.index.json"] = input
    let source = CheckpointSource.memory(name: "input", files)
    let found = survey(source)
    // Opening repeats the survey's reading and stops at the first fault: of the inputs with faults, tries only one in
    // eight.
    guard found?.problems.isEmpty == true || input.count % 8 == 0 else { return }
    guard let checkpoint = open(source, found) else { return }
    check(checkpoint.tensors.count == SmallModel.shards.count, "\(checkpoint.tensors.count) tensors")
    for (name, shard) in SmallModel.shards {
        check(checkpoint[name]?.shard == shard, "\(name) is not taken from \(shard)")
    }
}
