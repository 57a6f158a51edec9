import Synchronization

extension CheckpointSurvey {
    /// Reads every weight, and every file that `checksums` names, once, on all processors. Reports elements that are NaN or
    /// infinite, unused codes, scales that are not positive, digests that differ and files that cannot be read.
    ///
    /// Weights in files with faulty headers are skipped: their places are unknown.
    ///
    /// - Parameters:
    ///   - checksums: files that they name are read by one processor each.
    ///   - stretchByteCount: bytes of any other file that one processor reads at a time.
    ///   - progress: told how many bytes of how many are read, by one thread at a time; false stops the reading.
    /// - Returns: nil if it was stopped.
    public func read(
        _ checksums: ChecksumList?, stretchByteCount: Int = 64 << 20,
        progress: (_ byteCount: Int, _ total: Int) -> Bool
    ) -> [CheckpointProblem]? {
        var problems: [CheckpointProblem] = []
        let stretches = stretches(checksums, stretchByteCount, &problems)
        let total = stretches.reduce(0) { $0 + $1.range.count }
        let state = Mutex((byteCount: 0, isStopped: false))
        func advance(_ byteCount: Int) -> Bool {
            state.withLock { state in
                state.byteCount += byteCount
                if !state.isStopped { state.isStopped = !progress(state.byteCount, total) }
                return !state.isStopped
            }
        }
        let scans = concurrentMap(stretches) { stretch -> Result<FileScan, CheckpointError>? in
            guard advance(0) else { return nil }
            do throws(CheckpointError) { return .success(try FileScan(stretch, advance: advance)) } catch {
                return .failure(error)
            }
        }
        if state.withLock({ $0.isStopped }) { return nil }

        var findings: [String: FileScan.Finding] = [:]
        for (stretch, scan) in zip(stretches, scans) {
            switch scan {
            case .success(let scan)?:
                for (tensor, finding) in scan.findings {
                    let before = findings[tensor] ?? FileScan.Finding(first: finding.first, count: 0)
                    // Stretches finish in any order.
                    findings[tensor] = FileScan.Finding(
                        first: min(before.first, finding.first), count: before.count + finding.count)
                }
                if let expected = stretch.digest, let found = scan.digest, found != expected {
                    let error = CheckpointError(
                        .damaged, source.path(of: stretch.name), expected: "SHA-256 \(expected)", found: found,
                        advice: "the file is damaged or of another version: download it again")
                    problems.append(CheckpointProblem(.damaged, file: stretch.name, error))
                }
            case .failure(let error)?: problems.append(CheckpointProblem(.damaged, file: stretch.name, error))
            case nil: break
            }
        }
        for (name, finding) in findings.sorted(by: { $0.key < $1.key }) {
            if let tensor = shards.tensors[name] { problems.append(Self.problem(tensor, finding)) }
        }
        return problems
    }

    /// The stretches to read, the longest first; a file with a digest is one stretch.
    private func stretches(
        _ checksums: ChecksumList?, _ stretchByteCount: Int, _ problems: inout [CheckpointProblem]
    ) -> [FileScan.Stretch] {
        var stretches: [FileScan.Stretch] = []
        for (name, file) in shards.files.sorted(by: { $0.key < $1.key }) {
            // A tensor that two files hold belongs to the one that the index names.
            let own = file.faults.isEmpty ? file.tensors.values.filter { shards.tensors[$0.name]?.shard == name } : []
            let tensors = own.filter { $0.byteCount > 0 }.sorted { $0.offset < $1.offset }
            if let digest = checksums?.digests[name] {
                stretches.append(
                    FileScan.Stretch(
                        name: name, file: file.file, tensors: tensors, range: 0..<file.file.byteCount, digest: digest))
            } else {
                stretches += FileScan.stretches(of: file.file, named: name, tensors, byteCount: stretchByteCount)
            }
        }
        guard let checksums else { return stretches }
        for name in shards.names where checksums.digests[name] == nil {
            let error = CheckpointError(
                .missing, source.path(of: name), expected: "its SHA-256 among the checksums", found: "none of this name"
            )
            problems.append(CheckpointProblem(.missing, file: name, error))
        }
        for (name, digest) in checksums.digests.sorted(by: { $0.key < $1.key }) where shards.files[name] == nil {
            do throws(CheckpointError) {
                let file = try source.open(name)
                stretches.append(
                    FileScan.Stretch(name: name, file: file, tensors: [], range: 0..<file.byteCount, digest: digest))
            } catch {
                // The survey has reported the model's own files.
                guard !shards.names.contains(name) else { continue }
                let kind: CheckpointProblem.Kind = source.exists(name) ? .damaged : .missing
                problems.append(CheckpointProblem(kind, file: name, error))
            }
        }
        return stretches.sorted { $0.range.count > $1.range.count }
    }

    private static func problem(_ tensor: TensorInfo, _ finding: FileScan.Finding) -> CheckpointProblem {
        var index = finding.first
        var place: [Int] = []
        for dimension in tensor.shape.reversed() {
            place.insert(index % dimension, at: 0)
            index /= dimension
        }
        let (expected, found) =
            if HuggingFaceNames().parse(tensor.name).component.isScales {
                ("positive scales", "zero, negative, infinite or NaN")
            } else if tensor.type == .fp8E4M3 {
                ("numbers", "unused codes, 0x7F or 0xFF")
            } else {
                ("numbers", "NaN or infinite")
            }
        let error = CheckpointError(
            .damaged, tensor.name, expected: expected,
            found: "\(finding.count) of \(tensor.elementCount) \(tensor.type) that are \(found), the first at \(place)",
            advice: "\(tensor.shard) is damaged: download it again")
        return CheckpointProblem(
            .damaged, file: tensor.shard, tensor: tensor.name, error,
            badElements: CheckpointProblem.BadElements(first: place, count: finding.count))
    }
}
