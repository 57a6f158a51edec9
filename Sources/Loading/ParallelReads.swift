import Glibc
import Model
import Synchronization
import Threads

/// Reads data in numbered parts, several at once.
///
/// There may be more threads than processors: a disk serves concurrent reads faster than consecutive ones, and while some
/// threads wait for it, others check and copy data.
enum ParallelReads {
    static let mostThreads = 8

    private struct State {
        var next = 0
        /// Bytes that were read and not yet reported to the caller's `advance`.
        var byteCount = 0
        var failure: (part: Int, error: ModelError)?

        /// Keeps the failure of the part with the lowest number: parts begin in order, so it is the same in every run.
        mutating func fail(_ part: Int, _ error: ModelError) {
            if failure.map({ part < $0.part }) ?? true { failure = (part, error) }
        }
    }

    /// Calls `read` once for each part, and returns when all have returned.
    ///
    /// - Parameters:
    ///   - scratchByteCount: the size of the scratch memory that each call gets.
    ///   - read: called by several threads at once; returns how many bytes it has read.
    ///   - advance: told the number of bytes read, by the calling thread only; if it throws, no more parts begin.
    /// - Throws: the error of the first part that failed, or else `advance`'s.
    static func run(
        partCount: Int, scratchByteCount: Int,
        _ read: (_ part: Int, _ scratch: UnsafeMutableRawBufferPointer) throws(ModelError) -> Int,
        advance: (_ byteCount: Int) throws(ModelError) -> Void
    ) throws(ModelError) {
        let state = Mutex(State())
        func work(told: () throws(ModelError) -> Void) {
            let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: scratchByteCount, alignment: 4096)
            defer { scratch.deallocate() }
            while let part = state.withLock({ state -> Int? in
                guard state.failure == nil, state.next < partCount else { return nil }
                defer { state.next += 1 }
                return state.next
            }) {
                do throws(ModelError) {
                    let byteCount = try read(part, scratch)
                    state.withLock { $0.byteCount += byteCount }
                } catch {
                    state.withLock { $0.fail(part, error) }
                }
                do throws(ModelError) { try told() } catch { state.withLock { $0.fail(partCount, error) } }
            }
        }
        func tell() throws(ModelError) {
            let byteCount = state.withLock { state in
                defer { state.byteCount = 0 }
                return state.byteCount
            }
            if byteCount > 0 { try advance(byteCount) }
        }
        withoutActuallyEscaping({ work {} }) { body in
            // The threads end before this function returns. If the system has none to spare, the caller reads alone.
            nonisolated(unsafe) let body = body
            let threads = (0..<max(0, min(mostThreads, partCount) - 1)).compactMap { _ in startThread { body() } }
            work(told: tell)
            for thread in threads { pthread_join(thread, nil) }
        }
        if let failure = state.withLock({ $0.failure }) { throw failure.error }
        try tell()
    }
}
