import Glibc
import Synchronization
import Threads

/// Applies `transform` to every element concurrently on all processors. Results are in the order of the elements.
///
/// Starts its own threads: libdispatch ends the process if it cannot open a file descriptor for its own use, which can happen
/// while a checkpoint of many files is open. If no thread can be started, the calling thread does all the work.
func concurrentMap<Element: Sendable, Result>(
    _ elements: [Element], _ transform: (Element) -> Result
) -> [Result] {
    let counter = Counter()
    let threadCount = max(1, min(elements.count, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    return [Result](unsafeUninitializedCapacity: elements.count) { buffer, count in
        // Each iteration writes a different element.
        nonisolated(unsafe) let places = buffer
        withoutActuallyEscaping(transform) { transform in
            nonisolated(unsafe) let transform = transform
            let work: @Sendable () -> Void = {
                while true {
                    let index = counter.next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard index < elements.count else { return }
                    places.initializeElement(at: index, to: transform(elements[index]))
                }
            }
            let threads = (1..<threadCount).compactMap { _ in startThread(work) }
            work()
            for thread in threads { pthread_join(thread, nil) }
        }
        count = elements.count
    }
}

private final class Counter: Sendable {
    let next = Atomic(0)
}
