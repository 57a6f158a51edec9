// The two forms of a product without shared memory, and which weight rows a lane or subgroup has in each.
//
// rows (SUBGROUP = 0): a subgroup has ROWS weight rows; its lanes share their chunks and add their sums up.
// lanes: for narrow subgroups of SUBGROUP (4, 8 or 16) lanes, all there: a lane has ROWS weight rows; it loads every SUBGROUP-th
// activation and gets the others from its neighbours.

layout(constant_id = 1) const uint ROWS = 2u;
layout(constant_id = 2) const uint TOKENS = 1u;
layout(constant_id = 3) const uint SUBGROUP = 0u;
// rows: quads of a chunk in a loop's body, a power of two. Fewer than a chunk has leave less code to a slow compiler.
layout(constant_id = 8) const uint QUADS_AT_ONCE = 8u;
// rows: at most how many subgroups of a workgroup share all its rows, each with a part of the columns, for the shader to
// add up; 1: each has rows of its own.
#ifndef K_SPLIT
const uint K_SPLIT = 1u;
#endif

// A workgroup has `rowCount` weight rows and goes over them in passes; in each, a subgroup or lane has `count` of them.
//
// In the form lanes a lane's row is followed by the same lane's of the next pass, then of the next subgroup: who comes next
// reads memory on from where the last one was, in as many places as a subgroup has rows.
uint turns(uint rowCount, uint count) { return (rowCount + SUBGROUP * count - 1) / (SUBGROUP * count); }
uint passCount(uint rowCount, uint count) {
    if (SUBGROUP > 0u) return (turns(rowCount, count) + gl_NumSubgroups - 1) / gl_NumSubgroups;
    uint together = (K_SPLIT > 1u ? 1 : gl_NumSubgroups) * count;
    return (rowCount + together - 1) / together;
}
// Which of the workgroup's rows is the r-th of this subgroup or lane in a pass of so many; perhaps beyond the last.
uint rowInPass(uint pass, uint passes, uint r, uint count, uint rowCount) {
    if (SUBGROUP > 0u)
        return (gl_SubgroupInvocationID * count + r) * turns(rowCount, count) + gl_SubgroupID * passes + pass;
    return (K_SPLIT > 1u ? pass : pass * gl_NumSubgroups + gl_SubgroupID) * count + r;
}
// Whether the subgroup has rows in a pass.
bool hasRows(uint pass, uint passes, uint count, uint rowCount) {
    if (SUBGROUP > 0u) return gl_SubgroupID * passes + pass < turns(rowCount, count);
    return rowInPass(pass, passes, 0, count, rowCount) < rowCount;
}
// rows: this lane's number among those that share a row, and how many these are.
uint columnLane() { return (K_SPLIT > 1u ? gl_SubgroupID * gl_SubgroupSize : 0) + gl_SubgroupInvocationID; }
uint columnLanes() { return (K_SPLIT > 1u ? gl_NumSubgroups : 1) * gl_SubgroupSize; }
// Whether this lane has its rows' sums to write.
bool hasSums() { return SUBGROUP > 0u || subgroupElect(); }
