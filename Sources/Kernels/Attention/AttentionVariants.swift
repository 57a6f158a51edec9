import GPU

// Constants and variants that the attention shaders share: see Shaders/common_attention.glsl.

/// The variants of attention. Matrix units take some shapes only.
let attentionVariants = [
    VariantOption(.lanes, needs: .narrowSubgroups), VariantOption(.tiles),
    VariantOption(.matrix, needs: .attentionMatrixUnits),
]

/// The shaders' QUERIES: the power of two, at most 8, that so many rows fill best.
func queriesPerWorkgroup(of rows: Int) -> Int { rows > 4 ? 8 : rows > 2 ? 4 : rows }
