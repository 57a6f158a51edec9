import Checkpoint
import Crypto

/// The input is a list of checksums for the files of a small model. An accepted list round-trips through its text form.
/// Verification finds no problem if and only if every digest is right and every file of weights is listed.
func fuzz(_ input: UnsafeRawBufferPointer) {
    do throws(CheckpointError) {
        let list = try ChecksumList(Array(input), name: "input")
        for (name, digest) in list.digests {
            check(digest.utf8.count == 64 && digest == digest.lowercased(), "a digest \(digest)")
            check(!name.isEmpty && name != ".." && !name.utf8.contains { $0 == 0 || $0 == 0x2F }, "a name \(name)")
        }
        let text = list.digests.map { "\($1)  \($0)\r\n" }.joined()
        check(try ChecksumList(bytes(text), name: "input") == list, "does not round-trip: \(text)")
        let isRight = list.digests.allSatisfy { digests[$0] == $1 }
        let isWhole = SmallModel.shards.values.allSatisfy { list.digests[$0] != nil }
        let problems = folder.read(list) { _, _ in true } ?? []
        check(problems.isEmpty == (isRight && isWhole), "\(problems) of \(text)")
    } catch {
        check(!error.description.isEmpty, "an empty description")
    }
}

private let indexFile = "model.safetensors.index.json"

nonisolated(unsafe) private let files = SmallModel.files.merging([indexFile: SmallModel.index]) { $1 }

private let folder = try! CheckpointSurvey(.memory(name: "input", files))

private let digests = files.mapValues { file in
    var hash = SHA256()
    hash.update(bufferPointer: file)
    return hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
