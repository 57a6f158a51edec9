import Glibc

/// A rectangle of a picture.
struct Box {
    var x, y, width, height: Double

    func overlaps(_ other: Box) -> Bool {
        x < other.x + other.width && other.x < x + width && y < other.y + other.height && other.y < y + height
    }

    func holds(_ other: Box) -> Bool {
        x <= other.x && y <= other.y && other.x + other.width <= x + width && other.y + other.height <= y + height
    }

    /// The point of the box that is nearest to (x, y).
    func nearest(x: Double, y: Double) -> (x: Double, y: Double) {
        (min(max(x, self.x), self.x + width), min(max(y, self.y), self.y + height))
    }
}

/// Places labels beside points so that no two labels overlap.
struct LabelPlacement {
    struct Place {
        var box: Box
        /// The line from the point's edge to the label; nil if they are close together.
        var leader: (fromX: Double, fromY: Double, toX: Double, toY: Double)?

        /// Small boxes that cover the leader.
        fileprivate var trail: [Box] {
            guard let leader else { return [] }
            let length = hypot(leader.toX - leader.fromX, leader.toY - leader.fromY)
            let count = max(1, Int(length / 6))
            return (0..<count).map { step in
                let part = (Double(step) + 0.5) / Double(count)
                return Box(
                    x: leader.fromX + (leader.toX - leader.fromX) * part - 1.5,
                    y: leader.fromY + (leader.toY - leader.fromY) * part - 1.5, width: 3, height: 3)
            }
        }
    }

    /// The area for labels.
    private let bounds: Box
    /// Boxes that labels never cover, and that leaders cross only if there is no better place.
    private var taken: [Box]
    /// Boxes that labels cover only if there is no better place.
    private var obstacles: [Box]

    init(bounds: Box, taken: [Box], obstacles: [Box]) {
        self.bounds = bounds
        self.taken = taken
        self.obstacles = obstacles
    }

    /// Finds and reserves the best place for the label of the point at (x, y): close, and covering few obstacles.
    /// Returns nil if every place covers more than `most` obstacles.
    mutating func place(
        width: Double, height: Double, x: Double, y: Double, radius: Double, covering most: Int
    ) -> Place? {
        var best: (place: Place, cost: Double)?
        for ring in 0..<12 {
            let distance = radius + 4 + Double(ring) * 10
            for (step, angle) in Self.angles.enumerated() {
                let (dx, dy) = (cos(angle), sin(angle))
                // The side or corner of the label that faces the point is `distance` away from it.
                let box = Box(
                    x: x + distance * dx + (dx > 0.3 ? 0 : dx < -0.3 ? -width : -width / 2),
                    y: y + distance * dy + (abs(dy) < 0.3 ? -height / 2 : dy < 0 ? -height : 0), width: width,
                    height: height)
                guard bounds.holds(box), !taken.contains(where: box.overlaps) else { continue }
                let place = Place(box: box, leader: Self.leader(to: box, x: x, y: y, radius: radius))
                let hits = obstacles.count(where: box.overlaps)
                guard hits <= most else { continue }
                let crossings = place.trail.count { step in taken.contains(where: step.overlaps) }
                let cost = Double(ring) * 8 + Double(step) * 0.5 + Double(hits) * 20 + Double(crossings) * 60
                if cost < best?.cost ?? .infinity { best = (place, cost) }
            }
        }
        if let place = best?.place {
            taken.append(place.box)
            obstacles += place.trail
        }
        return best?.place
    }

    private static func leader(
        to box: Box, x: Double, y: Double, radius: Double
    ) -> (fromX: Double, fromY: Double, toX: Double, toY: Double)? {
        let near = box.nearest(x: x, y: y)
        let distance = hypot(near.x - x, near.y - y)
        guard distance > radius + 8 else { return nil }
        return (x + (near.x - x) * radius / distance, y + (near.y - y) * radius / distance, near.x, near.y)
    }

    /// Directions by preference: right and left first, above and below last, where leaders would run along columns of
    /// points.
    private static let angles: [Double] = [0, 8, 15, 1, 7, 9, 14, 2, 6, 10, 13, 3, 5, 11, 12, 4].map { $0 * .pi / 8 }
}
