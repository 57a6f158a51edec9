/// How a file format names the tensors of a model.
public protocol NamingScheme: Sendable {
    /// The tensor that holds a weight's elements.
    func name(of role: WeightRole) -> String
    /// Another tensor of the weight whose elements are called `weight`.
    func name(of component: WeightComponent, of weight: String) -> String
    /// The name of the weight that a tensor belongs to, and the tensor's part in it, both derived from the tensor's name.
    func parse(_ tensor: String) -> (weight: String, component: WeightComponent)
    /// How the names of all tensors of a layer begin.
    func prefix(ofLayer layer: Int) -> String
    /// Whether files may hold this tensor though nothing reads it.
    func isUnused(_ tensor: String) -> Bool
    /// The module of a weight without the layer: "q_b_proj".
    func shortName(of role: WeightRole) -> String
    /// The common name of weights that form one matrix.
    func name(ofStack weights: [String]) -> String
}
