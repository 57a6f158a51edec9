#version 460
// Joins the splits of a token and head: latent = sum_s exp(m_s - M) * partial_s / sum_s exp(m_s - M) * l_s, M = max m_s.
//
// partials: [tokens, heads, splits, C + 2] F32; latent: [tokens, heads, C] F32. One workgroup a token and head.

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer PartialsBuffer { float partials[]; };
layout(set = 0, binding = 1, std430) readonly buffer PositionsBuffer { uint positions[]; };
layout(set = 0, binding = 2, std430) writeonly buffer LatentBuffer { float latent[]; };
layout(push_constant) uniform Params { uint latentWidth; uint splitCount; uint splitKeys; uint partialPitch; uint latentPitch; };

void main() {
    uint token = gl_WorkGroupID.x, head = gl_WorkGroupID.y;
    uint used = positions[token] / splitKeys + 1;
    uint source = token * partialPitch + head * splitCount * (latentWidth + 2);
    float m = -3.4e38, l = 0;
    for (uint s = 0; s < used; s++) m = max(m, partials[source + s * (latentWidth + 2) + latentWidth]);
    for (uint s = 0; s < used; s++) {
        uint at = source + s * (latentWidth + 2) + latentWidth;
        l += exp(partials[at] - m) * partials[at + 1];
    }
    for (uint i = gl_LocalInvocationIndex; i < latentWidth; i += 64) {
        float value = 0;
        for (uint s = 0; s < used; s++) {
            uint at = source + s * (latentWidth + 2);
            value += exp(partials[at + latentWidth] - m) * partials[at + i];
        }
        latent[token * latentPitch + head * latentWidth + i] = value / l;
    }
}
