@testable import Checkpoint

/// The input is a checkpoint split over two ranks: source-layout.json and the headers of the ranks' files, separated by
/// bytes 0x1E. If merging accepts it, all tensors can be read, and the outputs cover each file exactly. If
/// source-layout.json is empty, opens the first rank's part instead, which succeeds only if it is complete.
func fuzz(_ input: UnsafeRawBufferPointer) {
    let parts = input.split(separator: 0x1E, maxSplits: 2, omittingEmptySubsequences: false)
    let ranks = parts.dropFirst().map { header in
        let header = Array(header)
        let end = (try? SafetensorsHeader.entries(json: header, name: "input"))?.last?.range.upperBound ?? 0
        return safetensors(header: header, dataCount: min(end, 4096))
    }
    var files = ["config.json": config, SourceLayout.fileName: UnsafeRawBufferPointer(rebasing: parts[0])]
    // The first file is also offered as the file of a single rank.
    withBytes(ranks[...]) { buffers in
        for (index, buffer) in buffers.enumerated() { files[Rank(index, of: 2).fileName] = buffer }
        files[Rank(0, of: 1).fileName] = buffers.first
        let source = CheckpointSource.memory(name: "input", files)
        if parts[0].isEmpty { open(source) } else { merge(source) }
    }
}

private func open(_ source: CheckpointSource) {
    do throws(CheckpointError) {
        let checkpoint = try Checkpoint(source, rank: Rank(0, of: 2))
        check(checkpoint.tensors.count >= 18, "\(checkpoint.tensors.count) tensors of a rank")
    } catch { check(!error.description.isEmpty, "an empty description") }
}

private func merge(_ folder: CheckpointSource) {
    do throws(CheckpointError) {
        let source = try ConversionSource(merging: folder)
        let plan = try ConversionPlan(merging: source)
        for file in plan.files {
            check(file.name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x2F }, "the file name \(file.name)")
            var end = file.header.count
            for step in file.steps {
                let output = step.outputs[0]
                check(output.offset == end, "\(output.name) is written at \(output.offset) instead of \(end)")
                end += output.byteCount
                guard output.byteCount <= 1 << 16 else { continue }
                if case .constant(let bytes) = step.recipe {
                    check(bytes.count == output.byteCount, "\(bytes.count) bytes for \(output.name)")
                    continue
                }
                let target = UnsafeMutableRawBufferPointer.allocate(byteCount: output.byteCount, alignment: 16)
                defer { target.deallocate() }
                try source.read(step.source, rows: step.rows, columns: step.columns, into: target)
            }
            check(end == file.byteCount, "\(file.name) ends at \(file.byteCount) instead of \(end)")
        }
    } catch { check(!error.description.isEmpty, "an empty description") }
}

/// Calls `body` with pointers to all arrays.
private func withBytes(
    _ arrays: ArraySlice<[UInt8]>, _ known: [UnsafeRawBufferPointer] = [], _ body: ([UnsafeRawBufferPointer]) -> Void
) {
    guard let first = arrays.first else { return body(known) }
    first.withUnsafeBytes { withBytes(arrays.dropFirst(), known + [$0], body) }
}

/// The config of a model with two experts, one per rank, and a prediction layer.
nonisolated(unsafe) private let config = kept(
    bytes(
        """
        {"model_type": "deepseek_v3", "vocab_size": 8, "hidden_size": 4, "intermediate_size": 4, "num_hidden_layers": 1,
         "num_attention_heads": 2, "kv_lora_rank": 2, "qk_nope_head_dim": 2, "qk_rope_head_dim": 2, "v_head_dim": 2,
         "max_position_embeddings": 64, "first_k_dense_replace": 0, "n_routed_experts": 2, "n_shared_experts": 1,
         "num_experts_per_tok": 1, "moe_intermediate_size": 4, "num_nextn_predict_layers": 1,
         "topk_method": "noaux_tc", "n_group": 1, "topk_group": 1, "scoring_func": "sigmoid"}
        """))
