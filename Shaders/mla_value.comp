#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
// y[t, h, i] = sum over c of W[h * (nope + value) + nope + i, c] * latent[t, h, c]: back from the latent to the heads' values.
//
// W = kv_b_proj [heads * (nope + value), C] in FORMAT; latent: [tokens, heads, C] F32; y: [tokens, heads, value] F32.
// One workgroup a token and head; a subgroup one row of W at a time, its lanes four columns each.

#include "common_weights.glsl"

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer LatentBuffer { float latent[]; };
layout(set = 0, binding = 1, std430) readonly buffer WeightsBuffer { uvec4 weights[]; };
layout(set = 0, binding = 2, std430) readonly buffer ScalesBuffer { float scales[]; };
layout(set = 0, binding = 3, std430) writeonly buffer YBuffer { float y[]; };
layout(push_constant) uniform Params {
    uint nopeWidth; uint valueWidth; uint latentWidth; uint latentPitch; uint yPitch; uint chunkPitch; uint scalePitch;
};

void main() {
    uint token = gl_WorkGroupID.x, head = gl_WorkGroupID.y;
    uint source = token * latentPitch + head * latentWidth;
    for (uint i = gl_SubgroupID; i < valueWidth; i += gl_NumSubgroups) {
        uint row = head * (nopeWidth + valueWidth) + nopeWidth + i;
        float sum = 0;
        for (uint c = gl_SubgroupInvocationID * 4; c < latentWidth; c += gl_SubgroupSize * 4) {
            vec4 w = decodeQuad(weights[row * chunkPitch + c / CHUNK], c % CHUNK / 4);
            if (FORMAT == 3u) w *= scales[row / 128 * scalePitch + c / 128] * SCALE_GAIN;
            for (uint k = 0; k < 4 && c + k < latentWidth; k++) sum += w[k] * latent[source + c + k];
        }
        sum = subgroupAdd(sum);
        if (subgroupElect()) y[token * yPitch + head * valueWidth + i] = sum;
    }
}
