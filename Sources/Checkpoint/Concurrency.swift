import Dispatch

/// Applies `transform` to every element concurrently on all processors. Results are in the order of the elements.
func concurrentMap<Element: Sendable, Result>(
    _ elements: [Element], _ transform: (Element) -> Result
) -> [Result] {
    [Result](unsafeUninitializedCapacity: elements.count) { buffer, count in
        // Each iteration writes a different element.
        nonisolated(unsafe) let places = buffer
        withoutActuallyEscaping(transform) { transform in
            nonisolated(unsafe) let transform = transform
            DispatchQueue.concurrentPerform(iterations: elements.count) { index in
                places.initializeElement(at: index, to: transform(elements[index]))
            }
        }
        count = elements.count
    }
}
