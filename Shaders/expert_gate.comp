#version 460
// Chooses each token's experts from its router logits (DeepSeek-V3 report, equations 13 to 16; V2: softmax).
//
// score_e = sigmoid(logit_e), or softmax over experts; select_e = score_e + bias_e (bias only selects). Groups: a group's
// score is the sum of its two best select_e (with bias) or its best score (without); experts outside the best keptGroups
// groups are out. Then the topK best select_e, ties to the lower index; weight = score / sum (NORMALISE) * scale.
//
// logits: [tokens, experts] F32; experts, weights: [tokens, topK] U32 / F32, best first. One workgroup a token; thread i
// takes experts i, i + 64, ...

layout(constant_id = 0) const bool SIGMOID = true;
layout(constant_id = 1) const bool HAS_BIAS = true;
layout(constant_id = 2) const bool NORMALISE = true;

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer LogitsBuffer { float logits[]; };
layout(set = 0, binding = 1, std430) readonly buffer BiasBuffer { float bias[]; };
layout(set = 0, binding = 2, std430) writeonly buffer ExpertsBuffer { uint experts[]; };
layout(set = 0, binding = 3, std430) writeonly buffer WeightsBuffer { float weights[]; };
layout(push_constant) uniform Params {
    uint expertCount; uint groupCount; uint keptGroups; uint topK; uint logitsPitch; uint weightsPitch; float scale;
};

const uint MAX_EXPERTS = 512u;
const float OUT = -3.4e38;  // below every score: a masked expert is never chosen while another is left
shared float scores[MAX_EXPERTS];
shared float selection[MAX_EXPERTS];
shared float groupScores[MAX_EXPERTS];
shared uint chosen[64];
shared float bestValue[64];
shared uint bestIndex[64];

void main() {
    uint token = gl_WorkGroupID.x, lane = gl_LocalInvocationIndex;
    uint source = token * logitsPitch;
    float largest = OUT, total = 1;
    if (!SIGMOID) {
        // Every thread takes the same sums in the same order: a few hundred terms, no exchange needed.
        for (uint e = 0; e < expertCount; e++) largest = max(largest, logits[source + e]);
        total = 0;
        for (uint e = 0; e < expertCount; e++) total += exp(logits[source + e] - largest);
    }
    for (uint e = lane; e < expertCount; e += 64) {
        float logit = logits[source + e];
        float score = SIGMOID ? 1 / (1 + exp(-logit)) : exp(logit - largest) / total;
        scores[e] = score;
        selection[e] = HAS_BIAS ? score + bias[e] : score;
    }
    barrier();  // all scores, before groups read them

    if (groupCount > 1) {
        uint size = expertCount / groupCount;
        for (uint g = lane; g < groupCount; g += 64) {
            float first = OUT, second = OUT;
            for (uint e = g * size; e < (g + 1) * size; e++) {
                float value = selection[e];
                second = max(second, min(first, value));
                first = max(first, value);
            }
            groupScores[g] = HAS_BIAS && size > 1 ? first + second : first;
        }
        barrier();  // all group scores, before ranks are counted
        for (uint e = lane; e < expertCount; e += 64) {
            uint group = e / size, rank = 0;
            for (uint g = 0; g < groupCount; g++)
                if (groupScores[g] > groupScores[group] || (groupScores[g] == groupScores[group] && g < group)) rank++;
            if (rank >= keptGroups) selection[e] = OUT;
        }
        barrier();  // the masks, before the search
    }

    for (uint k = 0; k < topK; k++) {
        float value = -1.0 / 0.0;
        uint index = 0;
        for (uint e = lane; e < expertCount; e += 64)
            if (selection[e] > value) { value = selection[e]; index = e; }
        bestValue[lane] = value;
        bestIndex[lane] = index;
        for (uint stride = 32; stride > 0; stride /= 2) {
            barrier();  // the other half's best
            if (lane < stride) {
                float other = bestValue[lane + stride];
                if (other > bestValue[lane] || (other == bestValue[lane] && bestIndex[lane + stride] < bestIndex[lane])) {
                    bestValue[lane] = other;
                    bestIndex[lane] = bestIndex[lane + stride];
                }
            }
        }
        if (lane == 0) {
            chosen[k] = bestIndex[0];
            selection[bestIndex[0]] = -1.0 / 0.0;
        }
        barrier();  // the winner is out before the next search
    }
    if (lane == 0) {
        float sum = 0;
        for (uint k = 0; k < topK; k++) sum += scores[chosen[k]];
        float factor = NORMALISE ? scale / (sum + 1e-20) : scale;
        for (uint k = 0; k < topK; k++) {
            experts[token * topK + k] = chosen[k];
            weights[token * weightsPitch + k] = scores[chosen[k]] * factor;
        }
    }
}
