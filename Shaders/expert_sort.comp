#version 460
// Sorts assignments a = t * topK + slot by expert, ascending a within one: expert e's are assignments[offsets[e]] ...
// assignments[offsets[e + 1] - 1]. Lists the tiles of `tileRows` of them that each expert takes, as (e, first place), and
// how many tiles there are, as the workgroups of dispatches that work through them.
//
// experts: [count] U32 below expertCount <= 512; offsets: [expertCount + 1] U32; assignments: [count] U32; tiles:
// [at least as many as there are, 2] U32; dispatches: [2, 4] U32: (tiles, rowGroups[i], 1, 0). One workgroup. Counting
// sort, 128 assignments at a time: thread i places the i-th of them after those of the same expert before it, so the
// result depends on no order of threads.

layout(local_size_x = 128) in;
layout(set = 0, binding = 0, std430) readonly buffer ExpertsBuffer { uint experts[]; };
layout(set = 0, binding = 1, std430) writeonly buffer OffsetsBuffer { uint offsets[]; };
layout(set = 0, binding = 2, std430) writeonly buffer AssignmentsBuffer { uint assignments[]; };
layout(set = 0, binding = 3, std430) writeonly buffer TilesBuffer { uvec2 tiles[]; };
layout(set = 0, binding = 4, std430) writeonly buffer DispatchesBuffer { uvec4 dispatches[]; };
layout(push_constant) uniform Params { uint count; uint expertCount; uint tileRows; uint rowGroups0; uint rowGroups1; };

shared uint next[512];  // counts, then each expert's next free place
shared uint firstTile[513];
shared uint tile[128];

void main() {
    uint i = gl_LocalInvocationIndex;
    for (uint e = i; e < expertCount; e += 128) next[e] = 0;
    barrier();  // all zero, before counting
    for (uint a = i; a < count; a += 128) atomicAdd(next[experts[a]], 1);
    barrier();  // all counted, before they are summed
    if (i == 0) {
        uint total = 0, tileTotal = 0;
        for (uint e = 0; e < expertCount; e++) {
            uint size = next[e];
            next[e] = total;
            offsets[e] = total;
            total += size;
            firstTile[e] = tileTotal;
            tileTotal += (size + tileRows - 1) / tileRows;
        }
        offsets[expertCount] = total;
        firstTile[expertCount] = tileTotal;
        dispatches[0] = uvec4(tileTotal, rowGroups0, 1, 0);
        dispatches[1] = uvec4(tileTotal, rowGroups1, 1, 0);
    }
    barrier();  // the sums are complete, before tiles are listed and places move on
    for (uint e = i; e < expertCount; e += 128)
        for (uint n = firstTile[e]; n < firstTile[e + 1]; n++) tiles[n] = uvec2(e, next[e] + (n - firstTile[e]) * tileRows);
    for (uint start = 0; start < count; start += 128) {
        uint a = start + i;
        uint expert = a < count ? experts[a] : 0xFFFFFFFFu;
        tile[i] = expert;
        barrier();  // the tile and the last tile's places are complete
        if (a < count) {
            uint rank = 0;
            for (uint j = 0; j < i; j++) rank += tile[j] == expert ? 1 : 0;
            assignments[next[expert] + rank] = a;
        }
        barrier();  // all have read their places, before these move on
        if (a < count) atomicAdd(next[expert], 1);
    }
}
