// A TILE x TILE tile of x * transpose(W), TILE 32 or 64, summed over K in steps of 16 through workgroup memory, by 2 * TILE
// threads. Needs common_weights.glsl, and the buffers x (vec4), weights (uvec4) and scales before it.
//
// Thread i loads half of a step's columns of x's row and of W's row i/2; the next step's are on their way while this one's
// are multiplied. It computes TILE/8 rows by 4 columns. Every output's products are added by fused multiply-adds in the
// order of K, whatever TILE is and whatever is in the tile's other rows.

layout(constant_id = 1) const uint TILE = 64u;
layout(constant_id = 2) const uint THREADS = 128u;  // 2 * TILE
layout(local_size_x_id = 2) in;

const uint STEP = 16u, PART = STEP / 2;  // columns, and those that a thread loads
const uint ROWS = TILE / 8;              // of a thread's results
// Row r's value in a step's column k is at [k][r ^ 2 * (k & PART)]: the two parts that neighbours store fall on different
// banks, and no room is lost between columns.
shared vec4 xTile[2][STEP][TILE / 4];
shared vec4 wTile[2][STEP][TILE / 4];

// The row of x and of W that this thread loads, and the first row and column of its results, in the tile.
uint loadedRow() { return gl_LocalInvocationIndex / 2; }
uint resultRow() { return gl_LocalInvocationIndex / (TILE / 4) * ROWS; }
uint resultColumn() { return gl_LocalInvocationIndex % (TILE / 4) * 4; }

struct Fetched {
    vec4 xs[2];
    uvec4 chunks[2];  // F32's part is two chunks, one of FP8, INT8 or INT4 half or a quarter of one
    float scale;
};

// xStart: the quad where the loaded row of x starts; wStart, scaleStart: the chunk and the scale where W's does. The caller
// clamps rows beyond the matrix and does not write their results.
Fetched fetch(uint k, uint columns, uint xStart, uint wStart, uint scaleStart) {
    uint at = k + gl_LocalInvocationIndex % 2 * PART;
    Fetched found;
    // Clamped to the last quad and chunk of the row.
    [[unroll]] for (uint q = 0; q < 2; q++) found.xs[q] = x[xStart + min(at / 4 + q, (columns - 1) / 4)];
    found.chunks[0] = weights[wStart + min(at / CHUNK, (columns - 1) / CHUNK)];
    found.chunks[1] = FORMAT == 0u ? weights[wStart + min(at / CHUNK + 1, (columns - 1) / CHUNK)] : uvec4(0);
    found.scale = SCALED ? applied(scales[scaleStart + k / SCALE_COLUMNS]) : 1.0;
    return found;
}

void store(uint target, uint k, uint columns, Fetched found) {
    uint part = gl_LocalInvocationIndex % 2 * PART, place = loadedRow() ^ 2 * part;
    // The part's words of a chunk come first: the index into it is then a constant.
    uvec4 chunk = found.chunks[0];
    if (SCALED && (k + part) % CHUNK >= CHUNK / 2) chunk = chunk.zwxy;
    if (INT4 && part > 0) chunk = chunk.yzwx;
    [[unroll]] for (uint q = 0; q < 2; q++) {
        // Padding may hold NaN, so it is replaced by 0, not multiplied by 0.
        bvec4 exists = lessThan(uvec4(k + part + 4 * q) + uvec4(0, 1, 2, 3), uvec4(columns));
        vec4 value = mix(vec4(0), found.xs[q], exists);
        vec4 w = decodeQuad(FORMAT == 0u ? found.chunks[q] : chunk, FORMAT == 0u ? 0 : q) * found.scale;
        [[unroll]] for (uint n = 0; n < 4; n++) {
            xTile[target][part + 4 * q + n][place / 4][place % 4] = value[n];
            wTile[target][part + 4 * q + n][place / 4][place % 4] = w[n];
        }
    }
}

void tileProduct(uint columns, uint xStart, uint wStart, uint scaleStart, out vec4 sums[ROWS]) {
    [[unroll]] for (uint j = 0; j < ROWS; j++) sums[j] = vec4(0);
    uint row = resultRow() / 4, column = resultColumn() / 4, current = 0;
    Fetched found = fetch(0, columns, xStart, wStart, scaleStart);
    for (uint k = 0; k < columns; k += STEP) {
        store(current, k, columns, found);
        barrier();  // the step is stored; the values that it overwrote were read before the previous barrier
        if (k + STEP < columns) found = fetch(k + STEP, columns, xStart, wStart, scaleStart);
        // Four columns at a time: unrolled as a whole, it takes the software device's compiler seconds.
        [[dont_unroll]] for (uint first = 0; first < STEP; first += 4) {
            uint swap = (first & PART) / 2;
            [[unroll]] for (uint n = 0; n < 4; n++) {
                vec4 w = wTile[current][first + n][column ^ swap];
                [[unroll]] for (uint j = 0; j < ROWS; j += 4) {
                    vec4 values = xTile[current][first + n][row + j / 4 ^ swap];
                    [[unroll]] for (uint r = 0; r < 4; r++) sums[j + r] = fma(vec4(values[r]), w, sums[j + r]);
                }
            }
        }
        current = 1 - current;
    }
}
