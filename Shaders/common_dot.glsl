// Dot products of a weight row with activation rows, one subgroup each: lanes stride over the row's 16-byte chunks.
// Needs common_weights.glsl, and the buffers x (vec4), weights (uvec4) and scales before it.

// Elements k ... k + 3 of the activation row that starts at quad `base`; beyond `columns` (padding, which holds
// anything) zeros. k < columns.
vec4 activations(uint base, uint k, uint columns) {
    vec4 value = x[base + k / 4];
    return mix(vec4(0), value, lessThan(uvec4(k) + uvec4(0, 1, 2, 3), uvec4(columns)));
}

// What the codes of a chunk at element k are multiplied by.
float chunkScale(uint scaleBase, uint k) {
    return FORMAT == 3u ? scales[scaleBase + k / 128] * SCALE_GAIN : 1.0;
}

// This lane's part of one dot product; the subgroup's sum is the product.
float dotPart(uint chunkBase, uint scaleBase, uint xBase, uint columns) {
    float sum = 0;
    for (uint k = gl_SubgroupInvocationID * CHUNK; k < columns; k += gl_SubgroupSize * CHUNK) {
        uvec4 chunk = weights[chunkBase + k / CHUNK];
        float scale = chunkScale(scaleBase, k);
        for (uint quad = 0; quad < QUADS && k + quad * 4 < columns; quad++)
            sum += dot(decodeQuad(chunk, quad) * scale, activations(xBase, k + quad * 4, columns));
    }
    return sum;
}
