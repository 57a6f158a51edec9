import Glibc
import Numerics

extension Profile {
    /// The roofline as an SVG document: kernels by intensity and rate under the measured limits; dark where the reader
    /// prefers it.
    public var roofline: String {
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + RooflinePicture(self, .wide).svg(styled: true)
    }
}

/// A roofline drawn.
struct RooflinePicture {
    struct Layout {
        var width, height, left, right, top, bottom: Double
        var labelCount: Int

        static let wide = Layout(width: 960, height: 620, left: 64, right: 24, top: 76, bottom: 104, labelCount: 10)
        /// For a telephone.
        static let narrow = Layout(width: 368, height: 520, left: 46, right: 22, top: 72, bottom: 148, labelCount: 5)
    }

    let roofline: Roofline
    let header: Profile.Header
    let layout: Layout

    init(_ profile: Profile, _ layout: Layout) {
        roofline = Roofline(profile)
        header = profile.header
        self.layout = layout
    }

    var isWide: Bool { layout.width > 600 }
    var plot: Box {
        Box(
            x: layout.left, y: layout.top, width: layout.width - layout.left - layout.right,
            height: layout.height - layout.top - layout.bottom)
    }

    func x(_ intensity: Double) -> Double { plot.x + plot.width * roofline.x.place(intensity) }
    func y(_ rate: Double) -> Double { plot.y + plot.height * (1 - roofline.y.place(rate)) }
    func radius(_ share: Double) -> Double { 4 + (isWide ? 18 : 12) * max(0, min(1, share)).squareRoot() }

    func svg(styled: Bool) -> String {
        // The page has a heading of its own.
        let top = styled ? 0 : layout.top - 24
        let size = "0 \(coordinate(top)) \(coordinate(layout.width)) \(coordinate(layout.height - top))"
        let name = escaped("Roofline of \(header.device), \(header.model)")
        var parts = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"roofline\" viewBox=\"\(size)\" role=\"img\" "
                + "aria-label=\"\(name)\">"
        ]
        if styled {
            parts.append("<title>\(name)</title>")
            parts.append("<style>\n\(Palette.variables("svg.roofline"))\(Self.rules)</style>")
            parts.append("<rect class=\"paper\" width=\"100%\" height=\"100%\"/>")
        }
        parts += (styled ? heading : []) + grid
        let roof = roof
        parts += roof.lines + marks(avoiding: roof.boxes) + roof.labels + legend
        return (parts + ["</svg>\n"]).joined(separator: "\n")
    }

    static let rules = """
        .roofline{font-family:system-ui,-apple-system,"Segoe UI",sans-serif;font-size:12px}
        .roofline text{\(Palette.declaration("fill", "ink"))}
        .roofline .heading{font-size:17px;font-weight:600}
        .roofline .muted{\(Palette.declaration("fill", "muted"))}
        .roofline .paper{\(Palette.declaration("fill", "paper"))}
        .roofline .halo{\(Palette.declaration("stroke", "paper"));stroke-width:3px;paint-order:stroke;
        stroke-linejoin:round}
        .roofline .grid{fill:none;\(Palette.declaration("stroke", "grid"));stroke-width:1px}
        .roofline .frame{fill:none;\(Palette.declaration("stroke", "line"));stroke-width:1px}
        .roofline .under{\(Palette.declaration("fill", "panel"))}
        .roofline .roof{fill:none;\(Palette.declaration("stroke", "ink"));stroke-width:2px;stroke-linejoin:round}
        .roofline .ceiling{fill:none;\(Palette.declaration("stroke", "muted"));stroke-width:1.5px;stroke-dasharray:6 4}
        .roofline .leader{fill:none;\(Palette.declaration("stroke", "muted"));stroke-width:1px}
        .roofline .mark{\(Palette.declaration("stroke", "paper"));stroke-width:1.5px;fill-opacity:.85}
        .roofline .memory{\(Palette.declaration("fill", "memory"))}
        .roofline .arithmetic{\(Palette.declaration("fill", "arithmetic"))}
        .roofline .launch{\(Palette.declaration("fill", "launch"))}
        .roofline .size{fill:none;\(Palette.declaration("stroke", "muted"));stroke-width:1px}

        """

    func text(
        _ text: String, x: Double, y: Double, _ names: String = "", anchor: String = "start", turn: Double = 0
    ) -> String {
        let (x, y) = (coordinate(x), coordinate(y))
        return "<text x=\"\(x)\" y=\"\(y)\""
            + (names.isEmpty ? "" : " class=\"\(names)\"") + (anchor == "start" ? "" : " text-anchor=\"\(anchor)\"")
            + (turn == 0 ? "" : " transform=\"rotate(\(coordinate(turn)) \(x) \(y))\"") + ">\(escaped(text))</text>"
    }

    func width(_ text: String) -> Double { Double(text.count) * 7.4 }

    private var heading: [String] {
        let columns = Int((layout.width - 20) / 7.2)
        return [
            text("Roofline: \(header.device)".shortened(to: columns * 2 / 3), x: 12, y: 26, "heading"),
            text(
                [header.model, header.driver, header.date].joined(separator: " · ").shortened(to: columns), x: 12,
                y: 45,
                "muted"),
        ]
    }

    private var grid: [String] {
        var parts = [text("FLOP/s", x: 12, y: layout.top - 10, "muted")]
        var lines = ""
        for decade in roofline.x.ticks {
            let place = x(pow(10, Double(decade)))
            lines += "M\(coordinate(place)) \(coordinate(plot.y))v\(coordinate(plot.height))"
            parts.append(
                text(LogAxis.text(decade), x: place, y: plot.y + plot.height + 17, "muted", anchor: "middle"))
        }
        for decade in roofline.y.ticks {
            let place = y(pow(10, Double(decade)))
            lines += "M\(coordinate(plot.x)) \(coordinate(place))h\(coordinate(plot.width))"
            parts.append(text(LogAxis.text(decade), x: plot.x - 6, y: place + 4, "muted", anchor: "end"))
        }
        parts.insert("<path class=\"grid\" d=\"\(lines)\"/>", at: 0)
        parts.append(
            text(
                "arithmetic intensity, flop/byte", x: plot.x + plot.width / 2, y: plot.y + plot.height + 36, "muted",
                anchor: "middle"))
        return parts
    }

    /// The limits as lines, their labels and the labels' places.
    private var roof: (lines: [String], labels: [String], boxes: [Box]) {
        var (lines, labels): ([String], [String]) = ([], [])
        var boxes: [Box] = []
        let (left, right) = (roofline.x.values.lowerBound, roofline.x.values.upperBound)
        let (bottom, top) = (roofline.y.values.lowerBound, roofline.y.values.upperBound)
        let marks = markBoxes
        let used = roofline.ceilings.first(where: \.used)?.rate
        if let bandwidth = roofline.bandwidth {
            let start = max(left, bottom / bandwidth)
            let end = min(right, (used ?? top) / bandwidth)
            let edge = used.map { "L\(coordinate(x(right))) \(coordinate(y($0)))" } ?? ""
            if start < end {
                let line =
                    "M\(coordinate(x(start))) \(coordinate(y(bandwidth * start)))"
                    + "L\(coordinate(x(end))) \(coordinate(y(bandwidth * end)))\(edge)"
                if used != nil {
                    let floor = coordinate(plot.y + plot.height)
                    lines.append(
                        "<path class=\"under\" d=\"\(line)V\(floor)H\(coordinate(x(start)))z\"/>")
                }
                lines.append("<path class=\"roof\" d=\"\(line)\"/>")
                let turn = -atan2(y(bandwidth * start) - y(bandwidth * end), x(end) - x(start)) * 180 / .pi
                let middle = pow(10, log10(start) * 0.65 + log10(end) * 0.35)
                let label = "copy \(RateUnit.text(bandwidth, RateUnit.bytes)!)"
                let (centre, height) = (x(middle), y(bandwidth * middle))
                let (dx, dy) = (sin(turn * .pi / 180) * 7, cos(turn * .pi / 180) * 7)
                labels.append(
                    text(label, x: centre + dx, y: height - dy, "halo", anchor: "middle", turn: turn))
                // Boxes along the turned label.
                let half = width(label) / 2
                for step in stride(from: -half, through: half, by: 12) {
                    let angle = turn * .pi / 180
                    boxes.append(
                        Box(
                            x: centre + cos(angle) * step + 2 * dx - 8, y: height + sin(angle) * step - 2 * dy - 8,
                            width: 16, height: 16))
                }
            }
        }
        for ceiling in roofline.ceilings {
            let start = roofline.bandwidth.map { max(left, min(right, ceiling.rate / $0)) } ?? left
            let height = y(ceiling.rate)
            if !ceiling.used || roofline.bandwidth == nil || start == left {
                lines.append(
                    "<path class=\"\(ceiling.used ? "roof" : "ceiling")\" d=\"M\(coordinate(x(start))) "
                        + "\(coordinate(height))H\(coordinate(x(right)))\"/>")
            }
            // At the right above the line, or where neither a label nor, if possible, a mark is.
            let size = (width: width(ceiling.label), height: 16.0)
            let sides = [x(right) - size.width - 4, (x(start) + x(right) - size.width) / 2, x(start) + 4]
            let free = sides.flatMap { side in
                [height - 20, height + 4].map { Box(x: side, y: $0, width: size.width, height: size.height) }
            }.filter { box in plot.holds(box) && !boxes.contains(where: box.overlaps) }
            guard let box = free.first(where: { !marks.contains(where: $0.overlaps) }) ?? free.first else { continue }
            labels.append(text(ceiling.label, x: box.x + size.width - 2, y: box.y + 12, "halo", anchor: "end"))
            boxes.append(box)
        }
        lines.append(
            "<rect class=\"frame\" x=\"\(coordinate(plot.x))\" y=\"\(coordinate(plot.y))\" "
                + "width=\"\(coordinate(plot.width))\" height=\"\(coordinate(plot.height))\"/>")
        return (lines, labels, boxes)
    }
}
