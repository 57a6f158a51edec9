import Glibc

extension RooflinePicture {
    /// The drawing of the limits.
    struct Roof {
        var lines: [String] = []
        /// Drawn on top of the marks, which may lie close to a limit.
        var labels: [String] = []
        /// The boxes of the labels.
        var taken: [Box] = []
    }

    var roof: Roof {
        var roof = Roof()
        if let bandwidth = roofline.bandwidth { addSlope(bandwidth, to: &roof) }
        for ceiling in roofline.ceilings { add(ceiling, to: &roof) }
        return roof
    }

    /// Draws the bandwidth's slope up to the used ceiling, then along the ceiling, and shades the reachable area below.
    private func addSlope(_ bandwidth: Double, to roof: inout Roof) {
        let (x, y) = (roofline.x.values, roofline.y.values)
        let used = roofline.ceilings.first(where: \.used)?.rate
        let start = max(x.lowerBound, y.lowerBound / bandwidth)
        let end = min(x.upperBound, (used ?? y.upperBound) / bandwidth)
        guard start < end else { return }
        func point(_ intensity: Double) -> (x: Double, y: Double) {
            (self.x(intensity), self.y(bandwidth * intensity))
        }
        let (first, last) = (point(start), point(end))
        var line = "M\(coordinate(first.x)) \(coordinate(first.y))L\(coordinate(last.x)) \(coordinate(last.y))"
        if let used {
            line += "L\(coordinate(self.x(x.upperBound))) \(coordinate(self.y(used)))"
            let floor = coordinate(plot.y + plot.height)
            roof.lines.append("<path class=\"under\" d=\"\(line)V\(floor)H\(coordinate(first.x))z\"/>")
        }
        roof.lines.append("<path class=\"roof\" d=\"\(line)\"/>")

        let label = "copy \(RateUnit.text(bandwidth, RateUnit.bytes) ?? missingText)"
        let angle = -atan2(first.y - last.y, last.x - first.x)
        let (along, across) = ((x: cos(angle), y: sin(angle)), (x: sin(angle), y: -cos(angle)))
        let centre = point(pow(10, log10(start) * 0.65 + log10(end) * 0.35))
        roof.labels.append(
            text(
                label, x: centre.x + 7 * across.x, y: centre.y + 7 * across.y, "halo", anchor: "middle",
                turn: angle * 180 / .pi))
        // Small boxes that cover the rotated label.
        for step in stride(from: -width(label) / 2, through: width(label) / 2, by: 12) {
            roof.taken.append(
                Box(
                    x: centre.x + along.x * step + 14 * across.x - 8, y: centre.y + along.y * step + 14 * across.y - 8,
                    width: 16, height: 16))
        }
    }

    /// Draws an arithmetic ceiling, from its intersection with the slope to the right edge.
    private func add(_ ceiling: Roofline.Ceiling, to roof: inout Roof) {
        let (left, right) = (roofline.x.values.lowerBound, roofline.x.values.upperBound)
        let start = roofline.bandwidth.map { max(left, min(right, ceiling.rate / $0)) } ?? left
        let height = y(ceiling.rate)
        // `addSlope` already draws the line of the used ceiling.
        if !ceiling.used || roofline.bandwidth == nil || start == left {
            roof.lines.append(
                "<path class=\"\(ceiling.used ? "roof" : "ceiling")\" d=\"M\(coordinate(x(start))) "
                    + "\(coordinate(height))H\(coordinate(x(right)))\"/>")
        }
        // Prefers the right end above the line; avoids other labels, and marks if possible.
        let length = width(ceiling.label)
        let sides = [x(right) - length - 4, (x(start) + x(right) - length) / 2, x(start) + 4]
        let free = sides.flatMap { side in
            [height - 20, height + 4].map { Box(x: side, y: $0, width: length, height: 16) }
        }.filter { box in plot.holds(box) && !roof.taken.contains(where: box.overlaps) }
        let marks = markBoxes
        guard let box = free.first(where: { !marks.contains(where: $0.overlaps) }) ?? free.first else { return }
        roof.labels.append(text(ceiling.label, x: box.x + length - 2, y: box.y + 12, "halo", anchor: "end"))
        roof.taken.append(box)
    }
}
