#version 460
// q[t, h, nope:nope+R] = rope(q[t, h, nope:nope+R], position), in place: pairs (x0, x1), (x2, x3), ... turned by position *
// frequency.
//
// q: [tokens, heads, nope + R] F32. One workgroup a token; a thread takes pairs.

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer FrequenciesBuffer { float frequencies[]; };
layout(set = 0, binding = 1, std430) readonly buffer PositionsBuffer { uint positions[]; };
layout(set = 0, binding = 2, std430) buffer QBuffer { float q[]; };
layout(push_constant) uniform Params { uint headCount; uint nopeWidth; uint ropeWidth; uint qPitch; float ropeFactor; };

void main() {
    uint token = gl_WorkGroupID.x, pairCount = ropeWidth / 2;
    for (uint i = gl_LocalInvocationIndex; i < headCount * pairCount; i += 64) {
        uint head = i / pairCount, pair = i % pairCount;
        float angle = float(positions[token]) * frequencies[pair];
        float c = cos(angle) * ropeFactor, s = sin(angle) * ropeFactor;
        uint at = token * qPitch + head * (nopeWidth + ropeWidth) + nopeWidth + 2 * pair;
        float a = q[at], b = q[at + 1];
        q[at] = a * c - b * s;
        q[at + 1] = a * s + b * c;
    }
}
