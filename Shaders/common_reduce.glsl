// Reductions over a workgroup of WORKGROUP threads, in an order that depends on nothing but WORKGROUP: halving strides
// through shared memory, so that every subgroup size gives the same bits.

shared float reduceScratch[WORKGROUP];

float workgroupSum(float value) {
    uint i = gl_LocalInvocationIndex;
    barrier();  // an earlier reduction's result may still be read
    reduceScratch[i] = value;
    for (uint stride = WORKGROUP / 2; stride > 0; stride /= 2) {
        barrier();  // the other half's partial sums must be there
        if (i < stride) reduceScratch[i] += reduceScratch[i + stride];
    }
    barrier();
    return reduceScratch[0];
}

float workgroupMax(float value) {
    uint i = gl_LocalInvocationIndex;
    barrier();
    reduceScratch[i] = value;
    for (uint stride = WORKGROUP / 2; stride > 0; stride /= 2) {
        barrier();
        if (i < stride) reduceScratch[i] = max(reduceScratch[i], reduceScratch[i + stride]);
    }
    barrier();
    return reduceScratch[0];
}
