/// Replaces the module's function by a sequential one: starting threads takes longer than most inputs, and their
/// remaining memory would make libFuzzer check for leaks after every run.
func concurrentMap<Element: Sendable, Result>(
    _ elements: [Element], _ transform: (Element) -> Result
) -> [Result] {
    elements.map(transform)
}
