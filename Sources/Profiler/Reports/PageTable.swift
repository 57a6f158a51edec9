import Numerics

/// The section "Kernels": the rows as a table that can be sorted and filtered.
extension ProfilePage {
    var table: String {
        let tabulation = Tabulation(profile)
        let rows = tabulation.rows(sortedBy: .share)
        if rows.isEmpty { return section("Kernels", ["<p>No kernel was measured.</p>"]) }
        let heads = tabulation.columns.map { column in
            let sorted = column == .share ? " aria-sort=\"descending\"" : ""
            return "<th scope=\"col\"\(isText(column) ? " class=\"text\"" : "")\(sorted)>"
                + "<button type=\"button\">\(escaped(tabulation.title(column)))</button></th>"
        }
        let lines = rows.map { row in
            "<tr>" + tabulation.columns.map { cell($0, row, tabulation) }.joined() + "</tr>"
        }
        let count = "\(rows.count) \(rows.count == 1 ? "row" : "rows")"
        var parts = [
            "<p class=\"filter\"><label>show rows with<input id=\"filter\" type=\"search\"/></label> "
                + "<small id=\"count\" aria-live=\"polite\">\(count)</small></p>",
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"table of kernels\">",
            "<table class=\"rows\">", "<thead><tr>\(heads.joined())</tr></thead>", "<tbody>",
        ]
        parts += lines + ["</tbody>", "</table>", "</div>"]
        if !tabulation.tellsCode {
            parts.append("<p class=\"muted\">Registers, spills: not available on this device.</p>")
        }
        return section("Kernels", parts)
    }

    private func isText(_ column: Profile.Column) -> Bool {
        [.kernel, .variant, .shape, .bound].contains(column)
    }

    private func cell(_ column: Profile.Column, _ row: Profile.Row, _ tabulation: Tabulation) -> String {
        let text = escaped(tabulation.text(column, row))
        switch column {
        case .kernel: return "<th scope=\"row\">\(text)</th>"
        case .shape: return "<td class=\"text shape\">\(text)</td>"
        case .variant, .bound: return "<td class=\"text\">\(text)</td>"
        default:
            guard case .number(let value) = tabulation.key(column, row) else { return "<td data-v=\"\">\(text)</td>" }
            let part = [.share, .limit].contains(column) ? " class=\"part\" style=\"--part:\(percent(value))\"" : ""
            // The key for sorting, rounded to keep the page small.
            let key = value >= 100 ? fixed(value, 0) : "\((value * 1e5).rounded() / 1e5)"
            return "<td\(part) data-v=\"\(key)\">\(text)</td>"
        }
    }
}
