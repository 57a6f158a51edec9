// Attention of QUERIES query rows, which share what is read of keys and values, in one pass over the keys (online
// softmax, in FP32): s[q, j] = scale * query[q] . key[j]; p = exp(s - max s); value[q] = sum of p * value[j].
//
// Needs, before it: QUERIES, PAIRS and the functions
//   vec2 queryPair(uint q, uint i)          elements 2i, 2i + 1 of query row q
//   uvec2 keyBase(uint j)                   where key j is
//   mat2x4 keyEight(uvec2 base, uint i)     its elements 8i ... 8i + 7
//   void ownValues(uvec2 base, out vec2 value[PAIRS])    the columns of its value that are this thread's
// A workgroup of 64 goes through blocks of 128 keys: scores (a thread two keys, for all rows), the running maximum and sum
// (HELPERS threads a row), values (a thread PAIRS pairs of columns, for all rows). What it holds is rescaled when a
// maximum grows. On narrow subgroups (SUBGROUP lanes, all there) query elements and weights go round the subgroup; else
// (0) slices of queries and keys are staged in shared memory.

layout(constant_id = 4) const uint SUBGROUP = 0u;
const uint KEYS = 2u, BLOCK = KEYS * WORKGROUP, HELPERS = WORKGROUP / QUERIES, STEP = 16u;
const uint SLICE = SUBGROUP == 0u ? 32u : 1u;
const uint LENDERS = SUBGROUP == 0u ? 1u : SUBGROUP < STEP / 2u ? SUBGROUP : STEP / 2u;  // lanes that query elements are broadcast from
const float OUT = -3.4e38;

shared uint limits[QUERIES];  // the keys that a row sees are those below
shared float scores[QUERIES][BLOCK];
shared float partial[QUERIES][HELPERS];
shared float maxima[QUERIES], sums[QUERIES];  // of each row at the end
shared float queryTile[QUERIES][SLICE];
shared float keyTile[BLOCK][SLICE + 1];

void storeScore(uint q, uint j, float score, uint start) { scores[q][j] = start + j < limits[q] ? score : OUT; }

// Keys start ... start + count - 1 of `width` elements, a multiple of 8; a lane's two keys are SUBGROUP apart.
void scoresThroughSubgroup(uint start, uint count, uint width, float scale) {
    uint first = gl_SubgroupID * SUBGROUP * KEYS + gl_SubgroupInvocationID;
    if (gl_SubgroupID * SUBGROUP * KEYS >= count) {  // none of the keys is this subgroup's
        [[unroll]] for (uint r = 0; r < KEYS; r++)
            [[unroll]] for (uint q = 0; q < QUERIES; q++) scores[q][first + r * SUBGROUP] = OUT;
        return;
    }
    uvec2 bases[KEYS];
    float dots[KEYS][QUERIES];
    [[unroll]] for (uint r = 0; r < KEYS; r++) {
        bases[r] = keyBase(start + min(first + r * SUBGROUP, count - 1));
        [[unroll]] for (uint q = 0; q < QUERIES; q++) dots[r][q] = 0;
    }
    for (uint k = 0; k < width; k += STEP) {
        mat2x4 keys[KEYS][STEP / 8];
        [[unroll]] for (uint r = 0; r < KEYS; r++)
            [[unroll]] for (uint i = 0; i < STEP / 8; i++)
                keys[r][i] = keyEight(bases[r], min(k / 8 + i, width / 8 - 1));
        [[unroll]] for (uint q = 0; q < QUERIES; q++)
            [[unroll]] for (uint part = 0; part < STEP / 2; part += LENDERS) {
                uint pair = k / 2 + part + gl_SubgroupInvocationID % LENDERS;
                vec2 own = mix(vec2(0), queryPair(q, min(pair, width / 2 - 1)), bvec2(pair < width / 2));
                [[unroll]] for (uint lane = 0; lane < LENDERS; lane++) {
                    vec2 value = subgroupBroadcast(own, lane);
                    uint i = part + lane;
                    [[unroll]] for (uint n = 0; n < 2; n++)
                        [[unroll]] for (uint r = 0; r < KEYS; r++)
                            dots[r][q] = fma(keys[r][i / 4][i / 2 % 2][i % 2 * 2 + n], value[n], dots[r][q]);
                }
            }
    }
    [[unroll]] for (uint r = 0; r < KEYS; r++)
        [[unroll]] for (uint q = 0; q < QUERIES; q++) storeScore(q, first + r * SUBGROUP, dots[r][q] * scale, start);
}

// The same through shared memory; a thread's keys are WORKGROUP apart.
void scoresThroughTiles(uint start, uint count, uint width, float scale) {
    uint i = gl_LocalInvocationIndex;
    float dots[KEYS][QUERIES];
    [[unroll]] for (uint r = 0; r < KEYS; r++)
        [[unroll]] for (uint q = 0; q < QUERIES; q++) dots[r][q] = 0;
    for (uint k = 0; k < width; k += SLICE) {
        for (uint e = i; e < QUERIES * SLICE / 2; e += WORKGROUP) {
            uint q = e / (SLICE / 2), at = e % (SLICE / 2) * 2;
            vec2 pair = k + at < width ? queryPair(q, (k + at) / 2) : vec2(0);
            queryTile[q][at] = pair.x;
            queryTile[q][at + 1] = pair.y;
        }
        for (uint e = i; e < BLOCK * SLICE / 8; e += WORKGROUP) {
            uint j = e / (SLICE / 8), at = e % (SLICE / 8) * 8;
            mat2x4 eight = k + at < width ? keyEight(keyBase(start + min(j, count - 1)), (k + at) / 8) : mat2x4(0);
            [[unroll]] for (uint n = 0; n < 8; n++) keyTile[j][at + n] = eight[n / 4][n % 4];
        }
        barrier();  // both slices are complete
        // Four at a time keep enough loads in flight; all of them take some compilers ten seconds.
        [[dont_unroll]] for (uint part = 0; part < SLICE; part += 4)
            [[unroll]] for (uint e = part; e < part + min(4, SLICE); e++) {
                float keys[KEYS];
                [[unroll]] for (uint r = 0; r < KEYS; r++) keys[r] = keyTile[i + r * WORKGROUP][e];
                [[unroll]] for (uint q = 0; q < QUERIES; q++)
                    [[unroll]] for (uint r = 0; r < KEYS; r++) dots[r][q] = fma(keys[r], queryTile[q][e], dots[r][q]);
            }
        barrier();  // all have read them, before the next overwrite them
    }
    [[unroll]] for (uint r = 0; r < KEYS; r++)
        [[unroll]] for (uint q = 0; q < QUERIES; q++) storeScore(q, i + r * WORKGROUP, dots[r][q] * scale, start);
}

// Adds the block's values, weighted by what stands in `scores`, to each row's.
void addValues(uint start, uint count, inout vec2 values[QUERIES][PAIRS]) {
    if (SUBGROUP == 0u) {
        for (uint j = 0; j < count; j++) {
            vec2 value[PAIRS];
            ownValues(keyBase(start + j), value);
            [[unroll]] for (uint q = 0; q < QUERIES; q++)
                [[unroll]] for (uint c = 0; c < PAIRS; c++) values[q][c] = fma(vec2(scores[q][j]), value[c], values[q][c]);
        }
        return;
    }
    for (uint j = 0; j < count; j += max(SUBGROUP, 1u)) {
        float own[QUERIES];
        [[unroll]] for (uint q = 0; q < QUERIES; q++) own[q] = scores[q][j + gl_SubgroupInvocationID];
        // Unrolled, so many loads between so many sums take compilers minutes.
        [[dont_unroll]] for (uint lane = 0; lane < SUBGROUP; lane++) {
            // Beyond the last key the weights are 0; what they are multiplied by must be finite.
            vec2 value[PAIRS];
            ownValues(keyBase(start + min(j + lane, count - 1)), value);
            [[unroll]] for (uint q = 0; q < QUERIES; q++) {
                vec2 weight = vec2(subgroupBroadcast(own[q], lane));
                [[unroll]] for (uint c = 0; c < PAIRS; c++) values[q][c] = fma(weight, value[c], values[q][c]);
            }
        }
    }
}

// Rows' values over the keys first ... end - 1, those below `limits` (which the workgroup has set, and passed a barrier
// since); their maxima and sums of exponentials are left in `maxima` and `sums`.
void attend(uint first, uint end, uint width, float scale, out vec2 values[QUERIES][PAIRS]) {
    uint row = gl_LocalInvocationIndex / HELPERS, helper = gl_LocalInvocationIndex % HELPERS;
    float largest = OUT, total = 0;  // of this thread's row, so far
    [[unroll]] for (uint q = 0; q < QUERIES; q++)
        [[unroll]] for (uint c = 0; c < PAIRS; c++) values[q][c] = vec2(0);
    for (uint start = first; start < end; start += BLOCK) {
        uint count = min(end - start, BLOCK), used = (count + 15) / 16 * 16;  // what addValues reads of the scores
        if (SUBGROUP == 0u) scoresThroughTiles(start, count, width, scale);
        else scoresThroughSubgroup(start, count, width, scale);
        barrier();  // every score of the block is complete

        float m = largest;
        for (uint j = helper; j < used; j += HELPERS) m = max(m, scores[row][j]);
        partial[row][helper] = m;
        barrier();  // the helpers' maxima are complete
        for (uint n = 0; n < HELPERS; n++) m = max(m, partial[row][n]);
        float sum = 0;
        for (uint j = helper; j < used; j += HELPERS) {
            float p = scores[row][j] > OUT ? exp(scores[row][j] - m) : 0.0;
            scores[row][j] = p;
            sum += p;
        }
        float rescale = exp(largest - m);
        largest = m;
        barrier();  // all have read the maxima, before sums overwrite them
        partial[row][helper] = sum;
        barrier();  // the sums and the exponentials are complete
        total *= rescale;
        for (uint n = 0; n < HELPERS; n++) total += partial[row][n];
        barrier();  // all have read the sums, before factors overwrite them
        if (helper == 0) partial[row][0] = rescale;
        barrier();  // the factors are complete

        [[unroll]] for (uint q = 0; q < QUERIES; q++)
            [[unroll]] for (uint c = 0; c < PAIRS; c++) values[q][c] *= partial[q][0];
        addValues(start, count, values);
        barrier();  // all have read scores and factors, before the next block overwrites them
    }
    if (helper == 0) {
        maxima[row] = largest;
        sums[row] = total;
    }
    barrier();  // the totals are complete
}
