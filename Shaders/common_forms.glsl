// The two forms of a product without shared memory, and which weight rows a lane or subgroup has in each.
//
// rows (SUBGROUP = 0): a subgroup has ROWS weight rows; its lanes share their chunks and add their sums up.
// lanes: for narrow subgroups of SUBGROUP (4, 8 or 16) lanes, all there: a lane has ROWS weight rows, SUBGROUP apart; it loads
// every SUBGROUP-th activation and gets the others from its neighbours.

layout(constant_id = 1) const uint ROWS = 2u;
layout(constant_id = 2) const uint TOKENS = 1u;
layout(constant_id = 3) const uint SUBGROUP = 0u;
// rows: at most how many subgroups of a workgroup share all its rows, each with a part of the columns, for the shader to
// add up; 1: each has rows of its own.
#ifndef K_SPLIT
const uint K_SPLIT = 1u;
#endif

// A workgroup of 64 has the weight rows from rowBegin on, as many as rowCountOfGroup says: see Swift's Variant.groupRows.
uint rowStep() { return SUBGROUP > 0u ? 64 * ROWS : K_SPLIT > 1u ? ROWS : gl_NumSubgroups * ROWS; }
// The first of this subgroup's (rows) or lane's (lanes) rows.
uint rowFirst() {
    if (SUBGROUP > 0u) return gl_SubgroupID * SUBGROUP * ROWS + gl_SubgroupInvocationID;
    return K_SPLIT > 1u ? 0 : gl_SubgroupID * ROWS;
}
// rows: this lane's number among those that share a row, and how many these are.
uint columnLane() { return (K_SPLIT > 1u ? gl_SubgroupID * gl_SubgroupSize : 0) + gl_SubgroupInvocationID; }
uint columnLanes() { return (K_SPLIT > 1u ? gl_NumSubgroups : 1) * gl_SubgroupSize; }
uint rowApart() { return SUBGROUP == 0u ? 1 : SUBGROUP; }
// Whether this lane has its rows' sums to write.
bool hasSums() { return SUBGROUP > 0u || subgroupElect(); }
