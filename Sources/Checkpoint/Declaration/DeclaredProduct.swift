/// A matrix that a step multiplies activations with: one weight, or several stacked ones.
public struct DeclaredProduct: Sendable, Equatable {
    /// "q_a_proj+kv_a_proj_with_mqa"
    public private(set) var name: String
    public private(set) var rows: Int
    public let columns: Int
    /// Whether it may have another format than BF16.
    public let isQuantisable: Bool
    /// From the first row down.
    public private(set) var roles: [WeightRole]

    fileprivate init(_ name: String, _ weight: DeclaredWeight) {
        self.name = name
        (rows, columns) = (weight.shape[0], weight.shape[1])
        isQuantisable = weight.isQuantisable
        roles = [weight.role]
    }

    fileprivate mutating func stack(_ name: String, _ weight: DeclaredWeight) {
        self.name += "+" + name
        rows += weight.shape[0]
        roles.append(weight.role)
    }
}

extension WeightList {
    /// The products of one layer of each kind, and then the head's. Of gate and up, which have one shape, the gate's.
    ///
    /// Excludes products with separate kernels: kv_b_proj's, which attention reads by heads, and the routed
    /// experts'.
    public var products: [DeclaredProduct] {
        var products: [DeclaredProduct] = []
        for weight in self {
            guard !weight.isPrediction, case .layer(let layer, let role) = weight.role, let name = productName(role)
            else { continue }
            if case .below(let upper) = weight.stacking {
                let place = products.firstIndex { $0.roles == [.layer(layer, upper)] }
                if let place { products[place].stack(name, weight) }
            } else if !products.contains(where: { $0.name.split(separator: "+")[0] == name }) {
                products.append(DeclaredProduct(name, weight))
            }
        }
        return products + (self[.head].map { [DeclaredProduct(names.shortName(of: .head), $0)] } ?? [])
    }

    /// The product's name; nil for a weight without a product in `products`.
    private func productName(_ role: LayerRole) -> String? {
        let short = { names.shortName(of: .layer(0, role)) }
        return switch role {
        case .query, .queryA, .queryB, .kvA, .attentionOutput, .dense(.gate), .dense(.down): short()
        case .router: "router"
        case .shared(.gate), .shared(.down): "shared_" + short()
        default: nil
        }
    }
}
