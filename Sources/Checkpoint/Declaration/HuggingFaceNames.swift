/// The names of DeepSeek's published safetensors files, and compressed-tensors' names of packed integers.
public struct HuggingFaceNames: NamingScheme {
    private static let element = ".weight"

    public init() {}

    public func name(of role: WeightRole) -> String {
        switch role {
        case .embedding: "model.embed_tokens.weight"
        case .finalNorm: "model.norm.weight"
        case .head: "lm_head.weight"
        case .layer(let layer, .routerBias): prefix(ofLayer: layer) + "mlp.gate.e_score_correction_bias"
        case .layer(let layer, let role): prefix(ofLayer: layer) + Self.module(role) + Self.element
        }
    }

    private static func module(_ role: LayerRole) -> String {
        switch role {
        case .inputNorm: "input_layernorm"
        case .postAttentionNorm: "post_attention_layernorm"
        case .query: "self_attn.q_proj"
        case .queryA: "self_attn.q_a_proj"
        case .queryANorm: "self_attn.q_a_layernorm"
        case .queryB: "self_attn.q_b_proj"
        case .kvA: "self_attn.kv_a_proj_with_mqa"
        case .kvANorm: "self_attn.kv_a_layernorm"
        case .kvB: "self_attn.kv_b_proj"
        case .attentionOutput: "self_attn.o_proj"
        case .dense(let projection): "mlp." + projection.rawValue + "_proj"
        case .router, .routerBias: "mlp.gate"
        case .expert(let expert, let projection): "mlp.experts.\(expert)." + projection.rawValue + "_proj"
        case .shared(let projection): "mlp.shared_experts." + projection.rawValue + "_proj"
        case .embeddingNorm: "enorm"
        case .hiddenNorm: "hnorm"
        case .predictionProjection: "eh_proj"
        case .predictionNorm: "shared_head.norm"
        case .embeddingCopy: "embed_tokens"
        case .headCopy: "shared_head.head"
        }
    }

    public func prefix(ofLayer layer: Int) -> String { "model.layers.\(layer)." }

    private static func suffix(_ component: WeightComponent) -> String {
        switch component {
        case .elements: ""
        case .blockScales: "_scale_inv"
        case .packed: "_packed"
        case .groupScales: "_scale"
        case .packedShape: "_shape"
        }
    }

    public func name(of component: WeightComponent, of weight: String) -> String { weight + Self.suffix(component) }

    private static let suffixes = WeightComponent.allCases.filter { $0 != .elements }.map {
        ($0, whole: element + suffix($0), byteCount: suffix($0).utf8.count)
    }

    public func parse(_ tensor: String) -> (weight: String, component: WeightComponent) {
        for (component, whole, byteCount) in Self.suffixes where tensor.hasSuffix(whole) {
            return (String(decoding: tensor.utf8.dropLast(byteCount), as: UTF8.self), component)
        }
        return (tensor, .elements)
    }

    /// Rotary frequencies, which follow from the config.
    public func isUnused(_ tensor: String) -> Bool { tensor.hasSuffix("rotary_emb.inv_freq") }

    public func shortName(of role: WeightRole) -> String {
        String(module(of: name(of: role)).split(separator: ".").last ?? "")
    }

    /// The module that a weight belongs to, as configs name it.
    func module(of weight: String) -> String {
        String(decoding: weight.utf8.dropLast(Self.element.utf8.count), as: UTF8.self)
    }

    public func name(ofStack weights: [String]) -> String {
        let others = weights.dropFirst().map { "+" + (module(of: $0).split(separator: ".").last ?? "") }
        return module(of: weights[0]) + others.joined() + Self.element
    }
}

/// The list `ignore` in a config of compressed-tensors: modules, or patterns of modules, that are not packed.
extension HuggingFaceNames {
    /// Matrices of plain format.
    static let plainPatterns = ["lm_head", "re:.*\\.mlp\\.gate$", "re:.*\\.eh_proj$", "re:.*\\.shared_head\\.head$"]
    /// Quantisable matrices other than the routed experts'.
    static let nonExpertPatterns = [
        "re:.*\\.self_attn\\..*", "re:.*\\.shared_experts\\..*", "re:.*\\.mlp\\.(gate|up|down)_proj$",
    ]
    /// Matrices that are quantisable to FP8 only.
    static let onlyFP8Patterns = ["re:.*\\.kv_b_proj$"]
}
