// A 32 x 32 tile of x * transpose(W), summed over K in steps of 32 through workgroup memory, by 64 threads.
// Needs common_weights.glsl, and the buffers x (vec4), weights (uvec4) and scales before it.
//
// Thread i computes rows i/8*4 ... + 3 by columns i%8*4 ... + 3. Every output's products are added in the order of K,
// whatever stands in the tile's other rows. Rows of the shared tiles are 33 apart: the transposing stores and the
// loads fall on different banks.

const uint TILE = 32u;
const uint NO_ROW = 0xFFFFFFFFu;
shared float xTile[TILE][TILE + 1];  // [k][row]
shared float wTile[TILE][TILE + 1];  // [k][column]

// rows[j]: the quad where the activation row i/8 + 8j of the tile starts, or NO_ROW. The weight's rows of the tile
// start at chunk `chunkBase`, and `weightRows` of them exist; their numbers in the matrix, for the scales, start at
// `scaleRow`, and the matrix's scales at `scaleBase`.
void tileProduct(
    uint rows[4], uint columns, uint chunkBase, uint chunkPitch, uint weightRows, uint scaleBase, uint scaleRow,
    uint scalePitch, out vec4 sums[4]) {
    uint i = gl_LocalInvocationIndex;
    uint row = i / 8 * 4, column = i % 8 * 4;
    for (uint j = 0; j < 4; j++) sums[j] = vec4(0);
    for (uint start = 0; start < columns; start += TILE) {
        uint local = i % 8 * 4, k = start + local;
        for (uint j = 0; j < 4; j++) {
            vec4 value = vec4(0);
            // Padding holds anything, NaN included: selected away, not multiplied away.
            if (rows[j] != NO_ROW && k < columns)
                value = mix(vec4(0), x[rows[j] + k / 4], lessThan(uvec4(k) + uvec4(0, 1, 2, 3), uvec4(columns)));
            for (uint n = 0; n < 4; n++) xTile[local + n][i / 8 + 8 * j] = value[n];
        }
        const uint CHUNKS = TILE / CHUNK;  // of one weight row in the tile
        for (uint c = i; c < TILE * CHUNKS; c += 64) {
            uint weightRow = c / CHUNKS, offset = c % CHUNKS * CHUNK;
            bool exists = weightRow < weightRows && start + offset < columns;
            uvec4 chunk = exists ? weights[chunkBase + weightRow * chunkPitch + (start + offset) / CHUNK] : uvec4(0);
            float scale = 1;
            if (FORMAT == 3u && exists)
                scale = scales[scaleBase + (scaleRow + weightRow) / 128 * scalePitch + (start + offset) / 128] * SCALE_GAIN;
            for (uint quad = 0; quad < QUADS; quad++) {
                vec4 value = decodeQuad(chunk, quad) * scale;
                for (uint n = 0; n < 4; n++) wTile[offset + quad * 4 + n][weightRow] = value[n];
            }
        }
        barrier();  // both tiles are there
        for (uint n = 0; n < TILE; n++) {
            vec4 w = vec4(wTile[n][column], wTile[n][column + 1], wTile[n][column + 2], wTile[n][column + 3]);
            for (uint j = 0; j < 4; j++) sums[j] += xTile[n][row + j] * w;
        }
        barrier();  // all have read them, before the next step overwrites them
    }
}
