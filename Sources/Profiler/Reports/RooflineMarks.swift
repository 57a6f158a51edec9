import Glibc

extension RooflinePicture {
    /// The kernels as marks, with labels for the largest if there is room. Draws small marks last, on top of large
    /// ones.
    func marks(avoiding reserved: [Box]) -> [String] {
        if roofline.points.isEmpty {
            let message = "no kernel with arithmetic was measured"
            return [
                text(message, x: plot.x + plot.width / 2, y: plot.y + plot.height / 2, "halo muted", anchor: "middle")
            ]
        }
        var placement = LabelPlacement(bounds: plot, taken: reserved, obstacles: markBoxes + roofBoxes)
        var (marks, leaders, labels): ([String], [String], [String]) = ([], [], [])
        for (place, point) in roofline.points.enumerated() {
            let (x, y, radius) = (x(point.intensity), y(point.rate), radius(point.share))
            marks.append(mark(point.bound, x: x, y: y, radius: radius, tooltip: point.tooltip))
            guard place < layout.labelCount, place < 3 || point.share >= 0.01 else { continue }
            let name = isWide ? point.label.shortened(to: 38) : point.kernel.shortened(to: 16)
            let label = "\(name) · \(percentText(point.share))"
            let found = placement.place(
                width: width(label), height: 15, x: x, y: y, radius: radius, covering: place < 3 ? .max : 2)
            guard let box = found?.box else { continue }
            // A text is narrower than its box: aligns it to the side of its point.
            let (at, anchor) =
                box.x >= x
                ? (box.x + 2, "start")
                : box.x + box.width <= x ? (box.x + box.width - 2, "end") : (box.x + box.width / 2, "middle")
            labels.append(text(label, x: at, y: box.y + 11.5, "halo", anchor: anchor))
            if let leader = found?.leader {
                leaders.append(
                    "M\(coordinate(leader.fromX)) \(coordinate(leader.fromY))"
                        + "L\(coordinate(leader.toX)) \(coordinate(leader.toY))")
            }
        }
        return (leaders.isEmpty ? [] : ["<path class=\"leader\" d=\"\(leaders.joined())\"/>"]) + marks + labels
    }

    /// The bounding boxes of the marks.
    var markBoxes: [Box] {
        roofline.points.map { point in
            let radius = radius(point.share)
            return Box(x: x(point.intensity) - radius, y: y(point.rate) - radius, width: 2 * radius, height: 2 * radius)
        }
    }

    /// Small boxes along the roof, which labels should not hide.
    private var roofBoxes: [Box] {
        let (left, right) = (roofline.x.values.lowerBound, roofline.x.values.upperBound)
        return (0...80).compactMap { step in
            let intensity = left * pow(right / left, Double(step) / 80)
            let slope = roofline.bandwidth.map { $0 * intensity } ?? .infinity
            let rate = min(slope, roofline.ceilings.first(where: \.used)?.rate ?? .infinity)
            guard rate.isFinite else { return nil }
            return Box(x: x(intensity) - 5, y: y(rate) - 2, width: 10, height: 4)
        }
    }

    private func mark(_ bound: Roofline.Bound, x: Double, y: Double, radius: Double, tooltip: String) -> String {
        let title = tooltip.isEmpty ? "" : "<title>\(escaped(tooltip))</title>"
        let attributes = "class=\"mark \(bound.rawValue)\""
        switch bound {
        case .memory:
            return "<circle \(attributes) cx=\"\(coordinate(x))\" cy=\"\(coordinate(y))\" r=\"\(coordinate(radius))\">"
                + "\(title)</circle>"
        case .arithmetic:
            // Equal in area to the circle.
            let half = radius * 0.886
            return "<rect \(attributes) x=\"\(coordinate(x - half))\" y=\"\(coordinate(y - half))\" "
                + "width=\"\(coordinate(2 * half))\" height=\"\(coordinate(2 * half))\">\(title)</rect>"
        case .launch:
            let side = radius * 1.347
            return "<path \(attributes) d=\"M\(coordinate(x)) \(coordinate(y - side * 1.155))"
                + "L\(coordinate(x + side)) \(coordinate(y + side * 0.577))H\(coordinate(x - side))z\">\(title)</path>"
        }
    }

    /// The legend of the marks, below the plot.
    var legend: [String] {
        var parts: [String] = []
        var (place, line) = (isWide ? plot.x : 14.0, plot.y + plot.height + 62)
        let bounds: [(Roofline.Bound, String)] = [
            (.memory, "bound by memory"), (.arithmetic, isWide ? "by arithmetic" : "arithmetic"),
            (.launch, isWide ? "by launching" : "launching"),
        ]
        for (bound, name) in bounds {
            parts.append(mark(bound, x: place + 6, y: line - 4, radius: 6, tooltip: ""))
            parts.append(text(name, x: place + 18, y: line, "muted"))
            place += width(name) + 34
        }
        if !isWide { (place, line) = (14, line + 26) }
        parts.append(text("part of all time", x: place, y: line, "muted"))
        place += width("part of all time") + 8
        for share in [0.01, 0.1, 0.5] {
            let radius = radius(share)
            parts.append(
                "<circle class=\"size\" cx=\"\(coordinate(place + radius))\" cy=\"\(coordinate(line - 4))\" "
                    + "r=\"\(coordinate(radius))\"/>")
            place += 2 * radius + 5
            let name = "\(Int(share * 100))%"
            parts.append(text(name, x: place, y: line, "muted"))
            place += width(name) + 12
        }
        guard !roofline.leftOut.kernels.isEmpty else { return parts }
        let names = roofline.leftOut.kernels.joined(separator: ", ")
        let words = "not shown, without arithmetic (\(percentText(roofline.leftOut.share)) of all time): \(names)"
        let columns = Int((layout.width - 24) / 7)
        let lines = wrapped("", words.split(separator: " ").map(String.init), width: columns)
        let most = isWide ? 1 : 3
        for (index, words) in lines.prefix(most).enumerated() {
            let last = index == most - 1 && lines.count > most
            let x = isWide ? plot.x : 14
            parts.append(
                text(last ? words + " …" : words, x: x, y: line + 24 + 16 * Double(index), "muted"))
        }
        return parts
    }
}
