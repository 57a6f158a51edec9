/// As the module's own, one after the other: starting threads takes longer than most inputs, and what they leave behind
/// makes libFuzzer look for leaks after every run.
func concurrentMap<Element: Sendable, Result>(
    _ elements: [Element], _ transform: (Element) -> Result
) -> [Result] {
    elements.map(transform)
}
