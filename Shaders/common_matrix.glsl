// A 64 x 64 tile of x * transpose(W) on matrix units: FP16 inputs, or with FP8_INPUTS defined codes of FP8 on both sides; FP32
// sums; four subgroups of 32 by 32 each.
// Needs common_weights.glsl, and the buffers x (uvec4), weights (uvec4) and scales before it; and, after it, the functions
//   uint xStart(uint row)                        the chunk of x where the tile's activation row starts
//   uint weightStart(uint row)                   the same of its weight row
//   void put(uint row, uint column, float sum)   takes a sum
//   uint groupStart(uint row)                    where the scales of its weight row start, of integers; not with FP8_INPUTS
//   float xScale(uint row, uint block)           FP8_INPUTS: the scale of 128 columns of an activation row
// They are called for all rows of the tile. Rows that do not exist may share the start of others; `put` discards them.
//
// The weights are decoded on the way into shared memory (with FP8_INPUTS they go in as they are), and the next step's are
// loaded while this one's are multiplied. FP8 codes are exact in FP16; a block's scale is applied to its sum. Integers, whose
// rows have scales of their own, go in scaled, rounded to FP16. Every output's products are added in the order of K, whatever
// is in the tile's other rows.

layout(constant_id = 1) const uint M = 16u;
layout(constant_id = 2) const uint N = 16u;
layout(constant_id = 3) const uint K = 16u;
layout(constant_id = 4) const uint REQUIRED_SUBGROUP = 32u;  // lanes; four subgroups make THREADS
layout(constant_id = 5) const uint THREADS = 128u;

#ifdef FP8_INPUTS
#define INPUT floate4m3_t
#define SLOT uint
const uint X_CHUNK = 16u, PACK = 4u;  // activations of a chunk and of a slot in shared memory
#else
#define INPUT float16_t
#define SLOT float16_t
const uint X_CHUNK = 8u, PACK = 1u;
#endif
const uint TILE = 64u, PART = 32u;  // of a workgroup and of a subgroup
const uint STEP = 4 * X_CHUNK, PITCH = (STEP + X_CHUNK) / PACK;  // rows are PITCH slots apart: loads fall on different banks
const uint X_LOADS = (TILE * STEP / X_CHUNK + THREADS - 1) / THREADS;
const uint W_LOADS = (TILE * STEP / CHUNK + THREADS - 1) / THREADS;
shared SLOT xTile[2][TILE * PITCH];
shared SLOT wTile[2][TILE * PITCH];
#ifdef FP8_INPUTS
shared float pieces[2 * TILE * N];  // twice a block's scale for each of the tile's rows, N times; then results as below
#else
shared float pieces[4 * M * N];  // of the result, one a subgroup
#endif

#define LEFT coopmat<INPUT, gl_ScopeSubgroup, M, K, gl_MatrixUseA>
#define RIGHT coopmat<INPUT, gl_ScopeSubgroup, K, N, gl_MatrixUseB>
#define SUMS coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>

uint xStart(uint row);
uint weightStart(uint row);
#ifdef FP8_INPUTS
uint groupStart(uint row) { return 0; }
#else
uint groupStart(uint row);
#endif
void put(uint row, uint column, float sum);

// The chunks that a thread loads of a step: n-th of them, row by row of the tile.
uint loadOf(uint n) { return n * THREADS + gl_LocalInvocationIndex; }

void fetch(
    uint k, uint columns, uint xStarts[X_LOADS], uint wStarts[W_LOADS], uint groupStarts[W_LOADS], out uvec4 xs[X_LOADS],
    out uvec4 ws[W_LOADS], out float groupScales[W_LOADS]) {
    [[unroll]] for (uint n = 0; n < X_LOADS; n++) {
        uint at = k + loadOf(n) % (STEP / X_CHUNK) * X_CHUNK;
        xs[n] = at < columns ? x[xStarts[n] + at / X_CHUNK] : uvec4(0);
    }
    [[unroll]] for (uint n = 0; n < W_LOADS; n++) {
        uint at = k + loadOf(n) % (STEP / CHUNK) * CHUNK;
        ws[n] = at < columns ? weights[wStarts[n] + at / CHUNK] : uvec4(0);
        groupScales[n] = INTEGERS ? scales[groupStarts[n] + k / SCALE_COLUMNS] : 1.0;
    }
}

#ifdef FP8_INPUTS
float xScale(uint row, uint block);

void store(uint buffer_, uvec4 xs[X_LOADS], uvec4 ws[W_LOADS], float groupScales[W_LOADS]) {
    [[unroll]] for (uint n = 0; n < X_LOADS; n++) {
        uint e = loadOf(n), at = e / (STEP / 16) * PITCH + e % (STEP / 16) * 4;
        if (e < TILE * STEP / 16)
            [[unroll]] for (uint i = 0; i < 4; i++) {
                xTile[buffer_][at + i] = xs[n][i];
                wTile[buffer_][at + i] = ws[n][i];
            }
    }
}
#else
void store(uint buffer_, uvec4 xs[X_LOADS], uvec4 ws[W_LOADS], float groupScales[W_LOADS]) {
    [[unroll]] for (uint n = 0; n < X_LOADS; n++) {
        uint e = loadOf(n), at = e / (STEP / 8) * PITCH + e % (STEP / 8) * 8;
        if (e < TILE * STEP / 8)
            [[unroll]] for (uint i = 0; i < 4; i++) {
                f16vec2 pair = unpackFloat2x16(xs[n][i]);
                xTile[buffer_][at + 2 * i] = pair.x;
                xTile[buffer_][at + 2 * i + 1] = pair.y;
            }
    }
    [[unroll]] for (uint n = 0; n < W_LOADS; n++) {
        uint e = loadOf(n), at = e / (STEP / CHUNK) * PITCH + e % (STEP / CHUNK) * CHUNK;
        if (e < TILE * STEP / CHUNK)
            [[unroll]] for (uint quad = 0; quad < QUADS; quad++) {
                f16vec4 value = f16vec4(decodeQuad(ws[n], quad) * groupScales[n]);
                [[unroll]] for (uint i = 0; i < 4; i++) wTile[buffer_][at + quad * 4 + i] = value[i];
            }
    }
}
#endif

// scaleStart: the scale of the first block of the tile's weight rows, which are all in one row of blocks. tokenRows: how many
// of the tile's activation rows there are; a subgroup that has none of them multiplies nothing.
void matrixProduct(uint columns, uint scaleStart, uint tokenRows) {
    uint rowPart = gl_SubgroupID / 2 * PART, columnPart = gl_SubgroupID % 2 * PART;
    SUMS totals[PART / M][PART / N], sums[PART / M][PART / N];
    [[unroll]] for (uint i = 0; i < PART / M; i++)
        [[unroll]] for (uint j = 0; j < PART / N; j++) {
            totals[i][j] = SUMS(0.0);
            sums[i][j] = SUMS(0.0);
        }
    uint xStarts[X_LOADS], wStarts[W_LOADS], groupStarts[W_LOADS];
    [[unroll]] for (uint n = 0; n < X_LOADS; n++) xStarts[n] = xStart(min(loadOf(n) / (STEP / X_CHUNK), TILE - 1));
    [[unroll]] for (uint n = 0; n < W_LOADS; n++) {
        uint row = min(loadOf(n) / (STEP / CHUNK), TILE - 1);
        wStarts[n] = weightStart(row);
        groupStarts[n] = INTEGERS ? groupStart(row) : 0;
    }
    uvec4 xs[X_LOADS], ws[W_LOADS];
    float groupScales[W_LOADS];
    fetch(0, columns, xStarts, wStarts, groupStarts, xs, ws, groupScales);
    uint current = 0;
    for (uint k = 0; k < columns; k += STEP) {
        store(current, xs, ws, groupScales);
        bool ends = FORMAT == 3u && ((k + STEP) % 128 == 0 || k + STEP >= columns);  // a block of scales
#ifdef FP8_INPUTS
        if (ends) {
            float scale = scales[scaleStart + k / 128];
            for (uint e = gl_LocalInvocationIndex; e < TILE * N; e += THREADS)
                pieces[current * TILE * N + e] = xScale(e / N, k / 128) * scale;
        }
#endif
        barrier();  // the tiles are complete; the others' were read before the last barrier but one
        if (k + STEP < columns) fetch(k + STEP, columns, xStarts, wStarts, groupStarts, xs, ws, groupScales);
        if (rowPart < tokenRows) {
            [[unroll]] for (uint inner = 0; inner < STEP; inner += K) {
                RIGHT right[PART / N];
                [[unroll]] for (uint j = 0; j < PART / N; j++)
                    coopMatLoad(
                        right[j], wTile[current], (columnPart + j * N) * PITCH + inner / PACK, PITCH,
                        gl_CooperativeMatrixLayoutColumnMajor);
                [[unroll]] for (uint i = 0; i < PART / M; i++) {
                    LEFT left;
                    coopMatLoad(
                        left, xTile[current], (rowPart + i * M) * PITCH + inner / PACK, PITCH,
                        gl_CooperativeMatrixLayoutRowMajor);
                    [[unroll]] for (uint j = 0; j < PART / N; j++) sums[i][j] = coopMatMulAdd(left, right[j], sums[i][j]);
                }
            }
        }
        // The block's sum gets its scale.
        if (ends) {
#ifndef FP8_INPUTS
            float scale = applied(scales[scaleStart + k / 128]);
#endif
            [[unroll]] for (uint i = 0; i < PART / M; i++) {
#ifdef FP8_INPUTS
                SUMS scale;
                coopMatLoad(
                    scale, pieces, (current * TILE + rowPart + i * M) * N, N, gl_CooperativeMatrixLayoutRowMajor);
#endif
                [[unroll]] for (uint j = 0; j < PART / N; j++) {
                    totals[i][j] = totals[i][j] + sums[i][j] * scale;
                    sums[i][j] = SUMS(0.0);
                }
            }
        }
        current = 1 - current;
    }
    [[unroll]] for (uint i = 0; i < PART / M; i++)
        [[unroll]] for (uint j = 0; j < PART / N; j++) {
            SUMS result = FORMAT == 3u ? totals[i][j] : sums[i][j];
            barrier();  // what was there was read
            coopMatStore(result, pieces, gl_SubgroupID * M * N, N, gl_CooperativeMatrixLayoutRowMajor);
            barrier();  // the piece is complete; lanes handle ragged edges and scales
            for (uint e = gl_SubgroupInvocationID; e < M * N; e += REQUIRED_SUBGROUP)
                put(rowPart + i * M + e / N, columnPart + j * N + e % N, pieces[gl_SubgroupID * M * N + e]);
        }
}
