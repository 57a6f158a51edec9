import Foundation
import JSON
import Testing

@testable import Profiler

struct ProfilePageTests {
    @Test(arguments: AnyProfile.allCases)
    func itIsWellFormed(_ name: AnyProfile) {
        let page = name.profile.page
        let document = XMLReader(page)
        #expect(document.failure == nil)
        #expect(page.hasPrefix("<!DOCTYPE html>\n"))
        let known: Set<String> = [
            "html", "head", "meta", "title", "style", "body", "script", "section", "h1", "h2", "h3", "p", "b", "small",
            "dl",
            "dt", "dd", "details", "summary", "ul", "li", "i", "span", "div", "figure", "svg", "path", "circle", "rect",
            "text", "table", "thead", "tbody", "tr", "th", "td", "button", "label", "input", "output", "code",
        ]
        #expect(Set(document.elements.map(\.name)).subtracting(known).isEmpty)
        for (element, attributes, _) in document.elements {
            // The page loads no external resources.
            for key in ["src", "href", "srcset", "data", "action"] { #expect(attributes[key] == nil, "\(element)") }
            for (key, value) in attributes where !["aria-label", "title"].contains(key) {
                #expect(!value.contains("nan") && !value.contains("inf"), "\(element) \(key)=\(value)")
            }
        }
        #expect(!page.contains("@import") && !page.contains("url(") && !page.contains("fetch("))
        #expect(page.components(separatedBy: "<script").count == page.components(separatedBy: "</script>").count)
    }

    /// A script element ends at the first "</script>", even within a string: names must not contain one.
    @Test func timelineDataIsJSONAndStaysInItsElement() throws {
        for profile in [Profile.sample(), .absurd()] {
            let pieces = profile.page.components(separatedBy: "<script type=\"application/json\">").dropFirst()
            #expect(pieces.count >= 2)
            for piece in pieces {
                let text = try #require(piece.components(separatedBy: "</script>").first)
                let data = try JSONField(parsing: Array(text.utf8), name: "timeline")
                let span = try data["span"].double()
                let (rows, layers) = (try data["rows"].array().count, try data["layers"].array().count)
                for dispatch in try data["dispatches"].array() {
                    let values = try dispatch.array()
                    #expect(try values[0].double() >= 0)
                    #expect(try values[0].double() + values[1].double() <= span + 1)
                    #expect(try (0..<rows).contains(values[2].int()))
                    #expect(try (0..<layers).contains(values[4].int()))
                }
            }
        }
    }

    @Test func itHasEveryPart() {
        let page = Profile.sample().page
        for part in ["Roofline", "Time by kernel", "Time by layer", "Timeline", "Kernels", "Notes"] {
            #expect(page.contains("<h2>\(part)</h2>"), "\(part)")
        }
        #expect(page.contains("<b>next limit:</b>"))
        #expect(page.contains("prefill, step 1 of 5: 512 tokens"))
        #expect(page.contains("overhead 1.0% of a decode step"))
        let kernels = Profile.oneRow().page
        #expect(!kernels.contains("<h2>Timeline</h2>") && !kernels.contains("<h2>Time by layer</h2>"))
        #expect(kernels.contains("<h2>Time by kernel</h2>"))
        #expect(kernels.contains("Registers, spills: not available on this device."))
    }

    /// Sorting needs a key in every number's cell and a button in every column's head.
    @Test func tableCanBeSorted() {
        let document = XMLReader(Profile.sample().page)
        #expect(document.elements.count { $0.name == "button" } == Profile.Column.allCases.count)
        #expect(document.elements.count { $0.name == "th" && $0.attributes["aria-sort"] == "descending" } == 1)
        let cells = document.elements.filter { $0.name == "td" && $0.attributes["class"]?.contains("text") != true }
        #expect(cells.count == 3 * (Profile.Column.allCases.count - 4))
        for (_, attributes, _) in cells {
            let value = attributes["data-v"]
            #expect(value == "" || Double(value ?? "x") != nil)
        }
    }

    /// 20,000 dispatches, in steps of 676 and in a single step.
    @Test func itStaysSmall() throws {
        let steps = Profile.large(layers: 27, steps: 30)
        #expect(steps.steps.reduce(0) { $0 + $1.dispatches.count } > 20_000)
        #expect(steps.page.utf8.count < 300_000)
        #expect(!steps.page.contains("dispatches are drawn"))
        let deep = Profile.large(layers: 800, steps: 2)
        #expect(deep.page.utf8.count < 900_000)
        #expect(deep.page.contains("The 1500 longest of 20002 dispatches are drawn; <code>--trace</code> writes all."))
    }
}
