import Glibc
import Numerics
import Synchronization
import Threads

/// Distributes a conversion's work to threads in pieces, and finishes each file after its last piece.
final class ConversionQueue: Sendable {
    /// A unit of work: some rows of a step, or a file's header.
    private struct Piece: Sendable {
        /// Index into `fileIndices`.
        var file: Int
        /// Nil for the header.
        var step: Int?
        var rows: Range<Int>
        var output: OutputFile
    }

    private struct State {
        /// The next piece: an index into `fileIndices`, the step in that file (−1 for the header) and its first row.
        var place = 0
        var step = -1
        var row = 0
        /// The open files, by index into `fileIndices`.
        var outputs: [Int: OutputFile] = [:]
        /// The number of unfinished pieces of each open file.
        var pieceCounts: [Int: Int] = [:]
        var doneByteCount = 0
        /// Quantisation errors, by file and step.
        var errors: [Int: [Int: RelativeError]] = [:]
        var failure: CheckpointError?

        mutating func advance(to step: Int, of steps: [ConversionStep]) {
            self.step = step
            row = step < steps.count ? steps[step].rows.lowerBound : 0
        }

        /// Decrements the number of a file's unfinished pieces. If none is left, removes the file from `outputs` and
        /// returns it.
        mutating func takeIfDone(_ place: Int) -> OutputFile? {
            pieceCounts[place, default: 0] -= 1
            return pieceCounts[place] == 0 ? outputs.removeValue(forKey: place) : nil
        }
    }

    private enum Dealt: Sendable {
        case piece(Piece)
        /// A file whose pieces are all done and which must be finished.
        case finished(OutputFile, Int)
        case end
    }

    /// Approximate number of elements per piece. A thread holds one piece in memory at a time.
    private static let pieceElementCount = 1 << 21

    private let plan: ConversionPlan
    private let fileIndices: [Int]
    private let folder: String
    private let files: ConversionFiles
    private let totalByteCount: Int
    private let state = Mutex(State())

    init(plan: ConversionPlan, fileIndices: [Int], folder: String, files: ConversionFiles) {
        self.plan = plan
        self.fileIndices = fileIndices
        self.folder = folder
        self.files = files
        totalByteCount = fileIndices.reduce(0) { $0 + plan.files[$1].byteCount }
    }

    /// Does all the work, on `threadCount` threads including the calling one. Throws the first error of any thread.
    func run(threadCount: Int, progress: (ConversionProgress) -> Void) throws(CheckpointError) {
        let threads = (1..<max(threadCount, 1)).compactMap { _ in startThread { self.work { _ in } } }
        work(progress)
        for thread in threads { pthread_join(thread, nil) }
        if let failure = state.withLock({ $0.failure }) {
            // Removes partial files, which cannot be resumed, as far as possible.
            for place in fileIndices.indices {
                let path = temporaryPath(place)
                do throws(CheckpointError) { try files.remove(path) } catch { continue }
            }
            throw failure
        }
    }

    var quantized: [ConversionResult.Quantized] {
        state.withLock { state in
            fileIndices.indices.flatMap { place in
                (state.errors[place] ?? [:]).sorted { $0.key < $1.key }.map {
                    step, error -> ConversionResult.Quantized in
                    let name = plan.files[fileIndices[place]].steps[step].name
                    guard let weight = plan.source.weights.find(name)?.weight else {
                        preconditionFailure("\(name) is no declared weight")
                    }
                    return ConversionResult.Quantized(name: name, part: weight.part, error: error)
                }
            }
        }
    }

    private func file(_ place: Int) -> ConversionPlan.File { plan.files[fileIndices[place]] }

    private func temporaryPath(_ place: Int) -> String {
        "\(folder)/\(file(place).name)\(ConversionFiles.temporarySuffix)"
    }

    private func work(_ progress: (ConversionProgress) -> Void) {
        let worker = ConversionWorker(plan.source)
        do throws(CheckpointError) {
            while let piece = try next() {
                var error = RelativeError()
                var byteCount = 0
                if let step = piece.step {
                    let step = file(piece.file).steps[step]
                    (error, byteCount) = try worker.convert(step, piece.rows, into: piece.output)
                } else {
                    let header = file(piece.file).header
                    byteCount = header.count
                    try piece.output.write(header, at: 0)
                }
                let now = try finish(piece, error, byteCount)
                progress(ConversionProgress(doneByteCount: now, totalByteCount: totalByteCount))
            }
        } catch {
            state.withLock { if $0.failure == nil { $0.failure = error } }
        }
    }

    /// The next piece; nil where none is left, or something failed.
    private func next() throws(CheckpointError) -> Piece? {
        while true {
            let dealt = try state.withLock { (state) throws(CheckpointError) -> Dealt in try deal(&state) }
            switch dealt {
            case .piece(let piece): return piece
            case .end: return nil
            // All pieces of this file were done before its end was reached here.
            case .finished(let output, let place): try close(output, place)
            }
        }
    }

    private func deal(_ state: inout State) throws(CheckpointError) -> Dealt {
        guard state.failure == nil else { return .end }
        while state.place < fileIndices.count {
            let place = state.place
            let steps = file(place).steps
            if state.step < 0 {
                let output = try files.create(temporaryPath(place))
                state.outputs[place] = output
                // One for the header, and one that is removed after the file's last piece has been distributed.
                state.pieceCounts[place] = 2
                state.advance(to: 0, of: steps)
                return .piece(Piece(file: place, step: nil, rows: 0..<0, output: output))
            }
            if state.step < steps.count, let output = state.outputs[place] {
                let (index, step, first) = (state.step, steps[state.step], state.row)
                let end = min(step.rows.upperBound, first + Self.rowCount(step))
                if end < step.rows.upperBound { state.row = end } else { state.advance(to: index + 1, of: steps) }
                if first == end { continue }
                state.pieceCounts[place, default: 0] += 1
                return .piece(Piece(file: place, step: index, rows: first..<end, output: output))
            }
            state.place += 1
            state.step = -1
            if let output = state.takeIfDone(place) { return .finished(output, place) }
        }
        return .end
    }

    /// Records a finished piece, and finishes its file if it was the last one. Returns the bytes done so far.
    private func finish(_ piece: Piece, _ error: RelativeError, _ byteCount: Int) throws(CheckpointError) -> Int {
        let (done, last) = state.withLock { state -> (Int, OutputFile?) in
            state.doneByteCount += byteCount
            if let step = piece.step, Self.isQuantized(file(piece.file).steps[step].recipe) {
                state.errors[piece.file, default: [:]][step, default: RelativeError()] += error
            }
            return (state.doneByteCount, state.takeIfDone(piece.file))
        }
        if let last { try close(last, piece.file) }
        return done
    }

    private func close(_ output: OutputFile, _ place: Int) throws(CheckpointError) {
        try output.finish(as: "\(folder)/\(file(place).name)")
        try files.storeFolder(folder)
    }

    private static func isQuantized(_ recipe: ConversionStep.Recipe) -> Bool {
        switch recipe {
        case .copy, .constant, .bf16: false
        case .fp8, .integers: true
        }
    }

    /// Number of rows per piece, a multiple of the block size.
    private static func rowCount(_ step: ConversionStep) -> Int {
        let rows = max(1, pieceElementCount / max(1, step.columns.count))
        let size = BlockScaling.blockSize
        return max(size, rows / size * size)
    }
}
