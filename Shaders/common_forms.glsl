// The two forms of a product without shared memory, and which weight rows a lane or subgroup has in each.
//
// rows (SUBGROUP = 0): a subgroup has ROWS weight rows; its lanes share their chunks and add their sums up.
// lanes: for narrow subgroups of SUBGROUP (4, 8 or 16) lanes, all there: a lane has ROWS weight rows; it loads every SUBGROUP-th
// activation and gets the others from its neighbours.

layout(constant_id = 1) const uint ROWS = 2u;
layout(constant_id = 2) const uint TOKENS = 1u;
layout(constant_id = 3) const uint SUBGROUP = 0u;

// A workgroup of 64 has groupRows weight rows (Swift's Variant.groupRows) and goes over them in passes; in each, a subgroup or
// lane has `count` of them. In the form lanes each of these goes on in the next pass with the row after: a lane reads
// memory on from where it was, which matters where rows are short.
uint passCount(uint groupRows, uint count) {
    uint together = (SUBGROUP == 0u ? gl_NumSubgroups : 64) * count;
    return (groupRows + together - 1) / together;
}
// Which of the workgroup's rows is the r-th of this subgroup or lane in a pass.
uint rowInPass(uint pass, uint passes, uint r, uint count) {
    if (SUBGROUP == 0u) return (pass * gl_NumSubgroups + gl_SubgroupID) * count + r;
    return ((gl_SubgroupID * SUBGROUP + gl_SubgroupInvocationID) * count + r) * passes + pass;
}
// The least that rowInPass says to any lane of the subgroup: beyond the last row there is nothing to do.
uint leastInPass(uint pass, uint passes, uint count) {
    return SUBGROUP == 0u ? rowInPass(pass, passes, 0, count) : gl_SubgroupID * SUBGROUP * count * passes + pass;
}
// Whether this lane has its rows' sums to write.
bool hasSums() { return SUBGROUP > 0u || subgroupElect(); }
