import Glibc
import Numerics

extension Profile {
    /// The roofline as an SVG document: kernels by intensity and rate, and the measured limits. Follows the reader's
    /// preferred colour scheme.
    public var roofline: String {
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + RooflinePicture(self, .wide).svg(styled: true)
    }
}

/// Draws a roofline as SVG.
struct RooflinePicture {
    struct Layout {
        var width, height, left, right, top, bottom: Double
        var labelCount: Int

        static let wide = Layout(width: 960, height: 620, left: 64, right: 24, top: 76, bottom: 104, labelCount: 10)
        /// For small screens.
        static let narrow = Layout(width: 368, height: 520, left: 46, right: 22, top: 72, bottom: 148, labelCount: 5)
    }

    let roofline: Roofline
    let header: Profile.Header
    /// The profile's header, included in a standalone picture.
    private let description: [String]
    let layout: Layout

    init(_ profile: Profile, _ layout: Layout) {
        roofline = Roofline(profile)
        header = profile.header
        description = profile.headerLines(width: 120)
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

    /// - Parameter styled: true for a standalone picture with styles, heading and description.
    func svg(styled: Bool) -> String {
        // Within the page, crops the space of the heading.
        let top = styled ? 0 : layout.top - 24
        let size = "0 \(coordinate(top)) \(coordinate(layout.width)) \(coordinate(layout.height - top))"
        let name = escaped("Roofline of \(header.device), \(header.model)")
        var parts = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"roofline\" viewBox=\"\(size)\" role=\"img\" "
                + "aria-label=\"\(name)\">"
        ]
        if styled {
            parts.append("<title>\(name)</title>")
            parts.append("<desc>\(escaped(description.joined(separator: "\n")))</desc>")
            parts.append("<style>\n\(Palette.variables("svg.roofline"))\(Self.rules)</style>")
            parts.append("<rect class=\"paper\" width=\"100%\" height=\"100%\"/>")
        }
        parts += (styled ? heading : []) + grid
        let roof = roof
        parts += roof.lines + [frame] + marks(avoiding: roof.taken) + roof.labels + legend
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

    private var frame: String {
        "<rect class=\"frame\" x=\"\(coordinate(plot.x))\" y=\"\(coordinate(plot.y))\" "
            + "width=\"\(coordinate(plot.width))\" height=\"\(coordinate(plot.height))\"/>"
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
}
