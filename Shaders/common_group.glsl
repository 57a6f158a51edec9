// The place in its expert's group of a workgroup that works through the tiles of expert_sort. Needs the buffers tiles
// (uvec2) and offsets (uint) before it.

struct GroupTile {
    uint expert;  // in this part of the bank
    uint begin, end;  // places in assignments: the tile's first, and where the expert's end
};

// The tile of workgroup x, and whether its expert is in the part that begins with `firstExpert`.
bool groupTile(uint firstExpert, uint expertCount, out GroupTile tile) {
    uvec2 entry = tiles[gl_WorkGroupID.x];
    tile = GroupTile(entry.x - firstExpert, entry.y, offsets[entry.x + 1]);
    return entry.x >= firstExpert && tile.expert < expertCount;
}
