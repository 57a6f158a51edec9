import Dispatch

/// Applies `transform` to every element, on all processors at once; results in the elements' order.
func concurrentMap<Element: Sendable, Result>(
    _ elements: [Element], _ transform: (Element) -> Result
) -> [Result] {
    [Result](unsafeUninitializedCapacity: elements.count) { buffer, count in
        // Each iteration has a place of its own.
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
