// Makes a function PRODUCT that multiplies ROWS weight rows with TOKENS activation rows, in either form of
// common_forms.glsl. A template: include it once for each set of macros
//   PRODUCT           the function's name
//   CHUNK_OF(r, i)    chunk i of the weights that row r is in
//   SCALE_OF(r, i)    scale i of the same
//   GAIN_OF(i)        if defined: with NORMED, activations are x * gain, and their squares' sums come with the products;
//                     quad i of the gain
// Needs common_weights.glsl, common_forms.glsl and the buffer x (vec4). rows[r]: the chunk where weight row r starts;
// rowScales[r]: the scale of its first block; starts[t]: the quad where activation row t starts.
//
// Each output's products are added by fused multiply-adds in an order that neither ROWS nor TOKENS changes: all sizes of
// a form give the same bits.

#ifdef GAIN_OF
void PRODUCT(
    uint columns, uint rows[ROWS], uint rowScales[ROWS], uint starts[TOKENS], out float sums[ROWS][TOKENS],
    out float squares[TOKENS]) {
    [[unroll]] for (uint t = 0; t < TOKENS; t++) squares[t] = 0;
#else
void PRODUCT(uint columns, uint rows[ROWS], uint rowScales[ROWS], uint starts[TOKENS], out float sums[ROWS][TOKENS]) {
#endif
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        [[unroll]] for (uint t = 0; t < TOKENS; t++) sums[r][t] = 0;
    if (SUBGROUP == 0u) {
        const uint AT_ONCE = min(QUADS, QUADS_AT_ONCE);
        for (uint k = columnLane() * CHUNK; k < columns; k += columnLanes() * CHUNK) {
            uvec4 chunks[ROWS];  // all loads before the first use: they are in flight together
            float chunkScales[ROWS];
            [[unroll]] for (uint r = 0; r < ROWS; r++) chunks[r] = CHUNK_OF(r, rows[r] + k / CHUNK);
            [[unroll]] for (uint r = 0; r < ROWS; r++)
                chunkScales[r] = SCALED ? applied(SCALE_OF(r, rowScales[r] + k / SCALE_COLUMNS)) : 1.0;
            for (uint quads = 0; quads < QUADS; quads += AT_ONCE)
                [[unroll]] for (uint n = 0; n < AT_ONCE; n++) {
                    uint quad = quads + n, at = k + quad * 4;
                    // Padding may hold NaN, so it is replaced by 0, not multiplied by 0.
                    bvec4 exists = lessThan(uvec4(at) + uvec4(0, 1, 2, 3), uvec4(columns));
                    vec4 values[TOKENS];
                    [[unroll]] for (uint t = 0; t < TOKENS; t++)
                        values[t] = at < columns ? mix(vec4(0), x[starts[t] + at / 4], exists) : vec4(0);
#ifdef GAIN_OF
                    if (NORMED) {
                        vec4 factors = at < columns ? mix(vec4(0), GAIN_OF(at / 4), exists) : vec4(0);
                        [[unroll]] for (uint t = 0; t < TOKENS; t++) {
                            [[unroll]] for (uint i = 0; i < 4; i++) squares[t] = fma(values[t][i], values[t][i], squares[t]);
                            values[t] *= factors;
                        }
                    }
#endif
                    [[unroll]] for (uint r = 0; r < ROWS; r++) {
                        vec4 w = decodeQuad(chunks[r], quad) * chunkScales[r];
                        [[unroll]] for (uint t = 0; t < TOKENS; t++)
                            [[unroll]] for (uint i = 0; i < 4; i++) sums[r][t] = fma(w[i], values[t][i], sums[r][t]);
                    }
                }
        }
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            [[unroll]] for (uint t = 0; t < TOKENS; t++) sums[r][t] = subgroupAdd(sums[r][t]);
    } else {
        // Elements of a row at a time: whole chunks, but half of INT4's, or the code would outgrow its cache.
        const uint STEP = 16u, WIDTH = max(SUBGROUP, 1u);
        for (uint k = 0; k < columns; k += STEP) {
            vec4 w[ROWS][STEP / 4];
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                float scale = SCALED ? applied(SCALE_OF(r, rowScales[r] + k / SCALE_COLUMNS)) : 1.0;
                [[unroll]] for (uint c = 0; c < max(STEP / CHUNK, 1u); c++) {
                    uvec4 chunk = CHUNK_OF(r, rows[r] + k / CHUNK + c);
                    if (INT4 && k % CHUNK > 0) chunk = chunk.zwxy;
                    [[unroll]] for (uint quad = 0; quad < min(QUADS, STEP / 4); quad++) {
                        vec4 value = decodeQuad(chunk, quad);
                        w[r][c * QUADS + quad] = SCALED ? value * scale : value;
                    }
                }
            }
            [[unroll]] for (uint t = 0; t < TOKENS; t++)
                [[unroll]] for (uint part = 0; part < STEP / WIDTH; part++) {
                    uint element = k + part * WIDTH + gl_SubgroupInvocationID;
                    float own = element < columns ? x[starts[t] + element / 4][element % 4] : 0.0;
#ifdef GAIN_OF
                    if (NORMED) {
                        squares[t] = fma(own, own, squares[t]);
                        if (element < columns) own *= GAIN_OF(element / 4)[element % 4];
                    }
#endif
                    [[unroll]] for (uint lane = 0; lane < WIDTH; lane++) {
                        float value = subgroupBroadcast(own, lane);
                        uint i = part * WIDTH + lane;
                        [[unroll]] for (uint r = 0; r < ROWS; r++) sums[r][t] = fma(w[r][i / 4][i % 4], value, sums[r][t]);
                    }
                }
        }
    }
#ifdef GAIN_OF
    if (NORMED)
        [[unroll]] for (uint t = 0; t < TOKENS; t++) squares[t] = subgroupAdd(squares[t]);
#endif
}
#undef PRODUCT
#undef CHUNK_OF
#undef SCALE_OF
#undef GAIN_OF
