// The two forms of a product without shared memory, and which weight rows a lane or subgroup has in each.
//
// rows (SUBGROUP = 0): a subgroup has ROWS weight rows; its lanes share their chunks and add their sums up.
// lanes: for narrow subgroups of SUBGROUP (4, 8 or 16) lanes, all there: a lane has ROWS weight rows, SUBGROUP apart; it loads
// every SUBGROUP-th activation and gets the others from its neighbours.

layout(constant_id = 1) const uint ROWS = 2u;
layout(constant_id = 2) const uint TOKENS = 1u;
layout(constant_id = 3) const uint SUBGROUP = 0u;

// A workgroup of 64 has the weight rows from rowBegin on, as many as rowCountOfGroup says: see Swift's Variant.groupRows.
uint rowStep() { return SUBGROUP == 0u ? gl_NumSubgroups * ROWS : 64 * ROWS; }
// The first of this subgroup's (rows) or lane's (lanes) rows.
uint rowFirst() {
    return SUBGROUP == 0u ? gl_SubgroupID * ROWS : gl_SubgroupID * SUBGROUP * ROWS + gl_SubgroupInvocationID;
}
uint rowApart() { return SUBGROUP == 0u ? 1 : SUBGROUP; }
// Whether this lane has its rows' sums to write.
bool hasSums() { return SUBGROUP > 0u || subgroupElect(); }
