// Products where a lane owns weight rows and the activations go round the subgroup: no shared memory, no reduction.
// Needs common_weights.glsl, and the buffers x (float), weights (uvec4) and scales before it.
//
// For narrow subgroups (SUBGROUP = 4, 8 or 16, all lanes there). A lane has ROWS weight rows and TOKENS activation rows;
// it loads every SUBGROUP-th activation and gets the others from its neighbours. Each output's products are added in the
// order of K by fused multiply-adds, whatever ROWS and TOKENS are: all sizes give the same bits.

layout(constant_id = 1) const uint ROWS = 2u;
layout(constant_id = 2) const uint TOKENS = 8u;
layout(constant_id = 3) const uint SUBGROUP = 8u;
const uint STEP = 16u;  // elements of a row at a time: whole chunks in every format

// rows[r]: the chunk where weight row r starts; rowScales[r]: the scale of its first block; starts[t]: the element where
// activation row t starts.
void lanesProduct(uint columns, uint rows[ROWS], uint rowScales[ROWS], uint starts[TOKENS], out float sums[ROWS][TOKENS]) {
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        [[unroll]] for (uint t = 0; t < TOKENS; t++) sums[r][t] = 0;
    for (uint k = 0; k < columns; k += STEP) {
        vec4 w[ROWS][STEP / 4];
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            float scale = FORMAT == 3u ? scales[rowScales[r] + k / 128] * SCALE_GAIN : 1.0;
            [[unroll]] for (uint c = 0; c < STEP / CHUNK; c++) {
                uvec4 chunk = weights[rows[r] + k / CHUNK + c];
                [[unroll]] for (uint quad = 0; quad < QUADS; quad++) {
                    vec4 value = decodeQuad(chunk, quad);
                    w[r][c * QUADS + quad] = FORMAT == 3u ? value * scale : value;
                }
            }
        }
        [[unroll]] for (uint t = 0; t < TOKENS; t++)
            [[unroll]] for (uint part = 0; part < STEP / SUBGROUP; part++) {
                uint element = k + part * SUBGROUP + gl_SubgroupInvocationID;
                // Padding holds anything, NaN included: selected away, not multiplied away.
                float own = element < columns ? x[starts[t] + element] : 0.0;
                [[unroll]] for (uint lane = 0; lane < SUBGROUP; lane++) {
                    float value = subgroupBroadcast(own, lane);
                    uint i = part * SUBGROUP + lane;
                    [[unroll]] for (uint r = 0; r < ROWS; r++) sums[r][t] = fma(w[r][i / 4][i % 4], value, sums[r][t]);
                }
            }
    }
}
