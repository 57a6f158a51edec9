import Numerics

extension Profile {
    /// The profile as one self-contained HTML page, which is also well-formed XML: limits, roofline, time by kernel and
    /// layer, timelines, the table, notes.
    public var page: String { ProfilePage(self).text }
}

/// Builds the page. Its larger sections are in PageCharts, PageTimeline and PageTable.
struct ProfilePage {
    let profile: Profile
    let tree: TimeTree
    /// The steps' operations in order of appearance, which determines their colours.
    let operations: [String]

    init(_ profile: Profile) {
        self.profile = profile
        tree = TimeTree(profile)
        var operations: [String] = []
        for layer in tree.layers {
            for operation in layer.children where !operations.contains(operation.name) {
                operations.append(operation.name)
            }
        }
        self.operations = operations
    }

    var text: String {
        let title = escaped("\(profile.header.model) on \(profile.header.device)")
        let head = """
            <!DOCTYPE html>
            <html xmlns="http://www.w3.org/1999/xhtml" lang="en">
            <head>
            <meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <title>Profile: \(title)</title>
            <style>
            \(PageStyles.text)</style>
            </head>
            <body>
            <h1>\(title)</h1>
            <p class="muted">\(escaped(subtitle))</p>

            """
        let foot = """
            <script>
            //<![CDATA[
            \(PageScript.text)//]]>
            </script>
            </body>
            </html>

            """
        return head + [tiles, nextLimit, facts, roofline, kernels, layers, timelines, table, notes].joined() + foot
    }

    /// The colour of an operation; the ninth and later ones share the last.
    func colour(_ operation: String) -> String {
        let place = operations.firstIndex(of: operation) ?? Palette.seriesCount
        return place < Palette.seriesCount ? "var(--s\(place))" : "var(--rest)"
    }

    func section(_ title: String, _ parts: [String]) -> String {
        "<section>\n<h2>\(escaped(title))</h2>\n" + parts.joined(separator: "\n") + "\n</section>\n"
    }

    private var subtitle: String {
        let how =
            profile.mode == .run
            ? "Steps of a model, dispatch by dispatch" : "Each kernel in isolation, at a model's shapes"
        return "\(how). Measured \(profile.header.date)."
    }

    /// The most important numbers: the limits, then the steps.
    private var tiles: String {
        var tiles = profile.limits.texts.filter { $0.label != "marks" }
            .map { (name: $0.label == "launch" ? "a launch" : "\($0.label) limit", value: $0.text) }
        for phase in tree.phases {
            let steps = profile.steps.filter { $0.phase == phase }
            let times = steps.map { $0.end - $0.start }
            let tokens = steps.reduce(0) { $0 + Double($1.tokenCount) }
            let rate = tokens / (times.reduce(0, +) * 1e-9)
            let rateText = rate.isFinite && rate > 0 ? ", \(significant(rate)) tokens/s" : ""
            let count = "\(steps.count) \(steps.count == 1 ? "step" : "steps")"
            tiles.append(("\(phase) step (median), \(count)\(rateText)", timeText(median(times))))
        }
        let items = tiles.map { "<li><b>\(escaped($0.value))</b><span>\(escaped($0.name))</span></li>" }
        return "<ul class=\"tiles\">\n" + items.joined(separator: "\n") + "\n</ul>\n"
    }

    private var nextLimit: String {
        let parts = profile.nextLimitLine(width: 240).split(separator: ":", maxSplits: 1)
        return "<p class=\"next\"><b>\(parts[0]):</b>\(escaped(String(parts[1])))</p>\n"
    }

    private var facts: String {
        var rows = profile.headerFields.filter { !["shaders", "model", "date", "limits"].contains($0.label) }
            .map { "<dt>\(escaped($0.label))</dt><dd>\(escaped($0.words.joined(separator: " ")))</dd>" }
        let marks =
            "marks add \(timeText(profile.limits.markNanoseconds)) to a dispatch, which is subtracted from every sample"
        let measuring = [marks] + (profile.overhead.map { [$0.words.joined(separator: " ")] } ?? [])
        rows.append("<dt>measuring</dt><dd>\(escaped(measuring.joined(separator: "; ")))</dd>")
        if !profile.header.shaders.isEmpty {
            let list = profile.header.shaders.map { "\($0.name) \($0.hash)" }.joined(separator: ", ")
            rows.append(
                "<dt>shaders</dt><dd><details><summary>\(profile.header.shaders.count), with the hashes of their SPIR-V"
                    + "</summary>\(escaped(list))</details></dd>")
        }
        return "<dl class=\"facts\">\n" + rows.joined(separator: "\n") + "\n</dl>\n"
    }

    private var roofline: String {
        let pictures = [("wide", RooflinePicture.Layout.wide), ("narrow", .narrow)]
            .map { "<div class=\"\($0)\">\n\(RooflinePicture(profile, $1).svg(styled: false))</div>" }
        return section("Roofline", ["<figure>"] + pictures + ["</figure>"])
    }

    private var notes: String {
        var notes = profile.notes
        if profile.rows.contains(where: { $0.share(of: profile.limits) > 1.005 }) { notes.append(Profile.aboveLimit) }
        if notes.isEmpty { return "" }
        return section("Notes", ["<ul>"] + notes.map { "<li>\(escaped($0))</li>" } + ["</ul>"])
    }
}
