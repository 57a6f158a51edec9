/// How a file format names the tensors of a model.
public protocol NamingScheme: Sendable {
    /// The tensor that holds a weight's elements.
    func name(of role: WeightRole) -> String
    /// Another tensor of the weight whose elements are called `weight`.
    func name(of component: WeightComponent, of weight: String) -> String
    /// The weight that a tensor belongs to by its name's form, and what it is of that weight.
    func parse(_ tensor: String) -> (weight: String, component: WeightComponent)
    /// How the names of all tensors of a layer begin.
    func prefix(ofLayer layer: Int) -> String
    /// Whether files may hold this tensor though nothing reads it.
    func isUnused(_ tensor: String) -> Bool
    /// The module of a weight without the layer: "q_b_proj".
    func shortName(of role: WeightRole) -> String
    /// What weights that form one matrix are called together.
    func name(ofStack weights: [String]) -> String
}
