import Foundation
import Testing

@testable import Profiler

struct RooflineTests {
    @Test(arguments: AnyProfile.allCases)
    func itIsWellFormed(_ name: AnyProfile) {
        let svg = name.profile.roofline
        let document = XMLReader(svg)
        #expect(document.failure == nil)
        #expect(document.elements.first?.name == "svg")
        #expect(document.elements.first?.attributes["xmlns"] == "http://www.w3.org/2000/svg")
        #expect(!document.elements.contains { $0.name == "b" || $0.name == "script" }, "markup from a name")
        for element in document.elements {
            for (key, value) in element.attributes where !["aria-label"].contains(key) {
                #expect(!value.contains("nan") && !value.contains("inf") && !value.contains("e+"), "\(key)=\(value)")
            }
        }
        #expect(svg.utf8.count < 100_000)
    }

    @Test func namesAreEscaped() {
        var profile = Profile.oneRow()
        profile.header.device = "a<b&\"c\""
        profile.rows[0].kernel = "k<&\">"
        let document = XMLReader(profile.roofline)
        #expect(document.text.contains("Roofline: a<b&\"c\""))
        #expect(document.text.contains("k<&\">, decode q · 100.0%"))
        #expect(document.text.contains("50.0% of the copy bandwidth"))
        // The standalone picture contains the profile's header.
        #expect(document.text.contains("command    fathom profile run"))
        #expect(document.text.contains("rms_norm 00000000"))
    }

    /// Both colour schemes as CSS variables, with a fallback.
    @Test func lightAndDark() {
        let svg = Profile.oneRow().roofline
        #expect(svg.contains("@media (prefers-color-scheme:dark){svg.roofline{--paper:#12161c"))
        #expect(svg.contains("fill:#1c2430;fill:var(--ink)"))
        #expect(svg.contains("class=\"paper\""))
    }

    /// A kernel at its limit lies on the roof; one at half its limit lies log₁₀ 2 of a decade below.
    @Test func pointsAreAtTheirRates() throws {
        var profile = Profile.oneRow()
        profile.limits.copyBytesPerSecond = 2e11
        let roofline = Roofline(profile)
        let point = try #require(roofline.points.first)
        #expect(point.intensity == 2)
        #expect(abs(point.rate / (try #require(roofline.bandwidth) * point.intensity) - 1) < 1e-9)
        #expect(point.share == 1)
        #expect(point.bound == .memory)
        let axis = LogAxis(from: 0.5, to: 700)
        #expect(axis.decades == -1...3)
        #expect(abs(axis.place(10) - 0.5) < 1e-12)
        #expect(axis.ticks == [-1, 0, 1, 2, 3])
        #expect([-5, -2, 0, 4, 5, 9, 13].map(LogAxis.text) == ["1e-5", "0.01", "1", "10000", "100 k", "1 G", "10 T"])
    }

    @Test func limitsAreLines() {
        var profile = Profile.oneRow()
        #expect(!profile.roofline.contains("class=\"ceiling\""))
        profile.limits.fp16FlopsPerSecond = 4e13
        profile.limits.matrixFlopsPerSecond = 1.6e14
        let document = XMLReader(profile.roofline)
        #expect(document.elements.count { $0.attributes["class"] == "ceiling" } == 2)
        for label in ["copy 400 GB/s", "FP32 20.0 TFLOP/s", "FP16 40.0 TFLOP/s", "matrix units 160 TFLOP/s"] {
            #expect(document.text.contains(label))
        }
    }

    @Test func kernelsWithoutArithmeticAreListed() {
        var profile = Profile.large(steps: 3)
        #expect(XMLReader(profile.roofline).text.contains("all time): kv_cache_append"))
        profile.rows = profile.rows.filter { $0.flopCount == 0 }
        #expect(XMLReader(profile.roofline).text.contains("no kernel with arithmetic was measured"))
    }

    /// In both layouts, the texts of real pictures stay within the picture, and the labels of points and limits do not overlap.
    @Test(arguments: [AnyProfile.sample, .large, .oneRow], [RooflinePicture.Layout.wide, .narrow])
    func labelsDoNotOverlap(_ name: AnyProfile, _ layout: RooflinePicture.Layout) throws {
        let picture = RooflinePicture(name.profile, layout)
        let texts = XMLReader(picture.svg(styled: true)).elements.filter { $0.name == "text" }
        let all = Box(x: 0, y: 0, width: layout.width, height: layout.height)
        for text in texts where text.attributes["class"] != "heading" {
            for box in try boxes(of: text) { #expect(all.holds(box), "\(text.text): \(box)") }
        }
        let labels = texts.filter { $0.attributes["class"] == "halo" }
        #expect(labels.count >= 3)
        for (place, label) in labels.enumerated() {
            for box in try boxes(of: label) {
                #expect(picture.plot.holds(box), "\(label.text): \(box)")
                for other in labels[(place + 1)...] {
                    #expect(try !boxes(of: other).contains(where: box.overlaps), "\(label.text) and \(other.text)")
                }
            }
        }
    }

    /// The area of a text of 12 pixels, whose characters are 6.5 pixels wide on average: one box, or small ones along a turned
    /// text.
    private func boxes(of text: (name: String, attributes: [String: String], text: String)) throws -> [Box] {
        let x = try #require(text.attributes["x"].flatMap(Double.init))
        let y = try #require(text.attributes["y"].flatMap(Double.init))
        let width = Double(text.text.count) * 6.5
        let left: Double =
            switch text.attributes["text-anchor"] {
            case "middle": -width / 2
            case "end": -width
            default: 0
            }
        guard let turn = text.attributes["transform"] else {
            return [Box(x: x + left, y: y - 9, width: width, height: 11)]
        }
        let degrees = try #require(Double(turn.dropFirst("rotate(".count).prefix { $0 != " " }))
        let (across, along) = (sin(degrees * .pi / 180), cos(degrees * .pi / 180))
        return stride(from: left + 5, through: left + width - 5, by: 5).map { place in
            // Characters are centred four pixels above the baseline.
            let middle = (x: x + place * along + 4 * across, y: y + place * across - 4 * along)
            return Box(x: middle.x - 4, y: middle.y - 4, width: 8, height: 8)
        }
    }

    /// Many labels around almost one point, and a box that none may cover.
    @Test func crowdedLabelsAreApart() {
        let bounds = Box(x: 0, y: 0, width: 400, height: 200)
        let reserved = Box(x: 180, y: 90, width: 20, height: 20)
        var placement = LabelPlacement(bounds: bounds, taken: [reserved], obstacles: [])
        let boxes = (0..<60).compactMap { place in
            placement.place(width: 70, height: 15, x: 200 + Double(place % 5), y: 100, radius: 6, covering: .max)?.box
        }
        #expect((8..<60).contains(boxes.count))
        for (place, box) in boxes.enumerated() {
            #expect(bounds.holds(box) && !box.overlaps(reserved))
            for other in boxes[(place + 1)...] { #expect(!box.overlaps(other)) }
        }
    }
}
