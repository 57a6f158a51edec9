// Recording and submission. A command object owns its pool, its descriptor pools and its timestamps.

#include <stdlib.h>

#include "shim.h"

enum { SETS_PER_POOL = 256, MAX_BINDINGS = 32 };

struct fv_commands {
    fv_device *device;
    VkCommandPool pool;
    VkCommandBuffer buffer;
    VkDescriptorPool *descriptorPools;
    uint32_t descriptorPoolCount, setsUsed;
    VkQueryPool timestamps;
    uint32_t timestampCapacity;
};

int32_t fv_create_commands(fv_device *device, uint32_t timestampCapacity, fv_commands **out) {
    fv_commands *c = calloc(1, sizeof *c);
    if (!c) return VK_ERROR_OUT_OF_HOST_MEMORY;
    c->device = device;
    c->timestampCapacity = timestampCapacity;
    VkCommandPoolCreateInfo pool = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
    pool.queueFamilyIndex = device->queueFamily;
    VkResult result = device->CreateCommandPool(device->handle, &pool, NULL, &c->pool);
    if (result == VK_SUCCESS) {
        VkCommandBufferAllocateInfo info = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO};
        info.commandPool = c->pool;
        info.commandBufferCount = 1;
        result = device->AllocateCommandBuffers(device->handle, &info, &c->buffer);
    }
    if (result == VK_SUCCESS && timestampCapacity) {
        VkQueryPoolCreateInfo info = {VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO};
        info.queryType = VK_QUERY_TYPE_TIMESTAMP;
        info.queryCount = timestampCapacity;
        result = device->CreateQueryPool(device->handle, &info, NULL, &c->timestamps);
    }
    if (result != VK_SUCCESS) {
        fv_destroy_commands(c);
        return result;
    }
    *out = c;
    return VK_SUCCESS;
}

void fv_destroy_commands(fv_commands *c) {
    fv_device *device = c->device;
    device->DestroyQueryPool(device->handle, c->timestamps, NULL);
    for (uint32_t i = 0; i < c->descriptorPoolCount; i++)
        device->DestroyDescriptorPool(device->handle, c->descriptorPools[i], NULL);
    free(c->descriptorPools);
    device->DestroyCommandPool(device->handle, c->pool, NULL);
    free(c);
}

int32_t fv_begin(fv_commands *c) {
    fv_device *device = c->device;
    c->setsUsed = 0;
    VkResult result = device->ResetCommandPool(device->handle, c->pool, 0);
    for (uint32_t i = 0; i < c->descriptorPoolCount && result == VK_SUCCESS; i++)
        result = device->ResetDescriptorPool(device->handle, c->descriptorPools[i], 0);
    if (result != VK_SUCCESS) return result;
    VkCommandBufferBeginInfo info = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    result = device->BeginCommandBuffer(c->buffer, &info);
    if (result == VK_SUCCESS && c->timestampCapacity)
        device->CmdResetQueryPool(c->buffer, c->timestamps, 0, c->timestampCapacity);
    return result;
}

int32_t fv_end(fv_commands *c) { return c->device->EndCommandBuffer(c->buffer); }

// A descriptor set from the current pool, or from a new one if that is used up.
static VkResult next_set(fv_commands *c, VkDescriptorSetLayout layout, VkDescriptorSet *set) {
    fv_device *device = c->device;
    uint32_t index = c->setsUsed / SETS_PER_POOL;
    if (index == c->descriptorPoolCount) {
        VkDescriptorPool *grown = realloc(c->descriptorPools, (index + 1) * sizeof *grown);
        if (!grown) return VK_ERROR_OUT_OF_HOST_MEMORY;
        c->descriptorPools = grown;
        VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, SETS_PER_POOL * MAX_BINDINGS};
        VkDescriptorPoolCreateInfo info = {VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO};
        info.maxSets = SETS_PER_POOL;
        info.poolSizeCount = 1;
        info.pPoolSizes = &size;
        VkResult result = device->CreateDescriptorPool(device->handle, &info, NULL, &c->descriptorPools[index]);
        if (result != VK_SUCCESS) return result;
        c->descriptorPoolCount = index + 1;
    }
    VkDescriptorSetAllocateInfo info = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO};
    info.descriptorPool = c->descriptorPools[index];
    info.descriptorSetCount = 1;
    info.pSetLayouts = &layout;
    VkResult result = device->AllocateDescriptorSets(device->handle, &info, set);
    if (result == VK_SUCCESS) c->setsUsed++;
    return result;
}

// Binds a dispatch's pipeline, buffers and push constants.
static VkResult prepare_dispatch(fv_commands *c, const fv_pipeline *pipeline, const fv_range *ranges, uint32_t rangeCount,
                                 const uint32_t *pushConstants, uint32_t pushConstantByteCount) {
    if (rangeCount > MAX_BINDINGS) return VK_ERROR_TOO_MANY_OBJECTS;
    fv_device *device = c->device;
    VkDescriptorSet set;
    VkResult result = next_set(c, (VkDescriptorSetLayout)pipeline->setLayout, &set);
    if (result != VK_SUCCESS) return result;
    VkDescriptorBufferInfo buffers[MAX_BINDINGS];
    VkWriteDescriptorSet writes[MAX_BINDINGS];
    for (uint32_t i = 0; i < rangeCount; i++) {
        buffers[i] = (VkDescriptorBufferInfo){(VkBuffer)ranges[i].buffer, ranges[i].offset, ranges[i].byteCount};
        writes[i] = (VkWriteDescriptorSet){VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET};
        writes[i].dstSet = set;
        writes[i].dstBinding = i;
        writes[i].descriptorCount = 1;
        writes[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
        writes[i].pBufferInfo = &buffers[i];
    }
    VkPipelineLayout layout = (VkPipelineLayout)pipeline->layout;
    device->UpdateDescriptorSets(device->handle, rangeCount, writes, 0, NULL);
    device->CmdBindPipeline(c->buffer, VK_PIPELINE_BIND_POINT_COMPUTE, (VkPipeline)pipeline->pipeline);
    device->CmdBindDescriptorSets(c->buffer, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set, 0, NULL);
    if (pushConstantByteCount)
        device->CmdPushConstants(c->buffer, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, pushConstantByteCount, pushConstants);
    return VK_SUCCESS;
}

int32_t fv_dispatch(fv_commands *c, const fv_pipeline *pipeline, const fv_range *ranges, uint32_t rangeCount,
                    const uint32_t *pushConstants, uint32_t pushConstantByteCount, uint32_t x, uint32_t y, uint32_t z) {
    VkResult result = prepare_dispatch(c, pipeline, ranges, rangeCount, pushConstants, pushConstantByteCount);
    if (result == VK_SUCCESS) c->device->CmdDispatch(c->buffer, x, y, z);
    return result;
}

int32_t fv_dispatch_indirect(fv_commands *c, const fv_pipeline *pipeline, const fv_range *ranges, uint32_t rangeCount,
                             const uint32_t *pushConstants, uint32_t pushConstantByteCount, uint64_t buffer, uint64_t offset) {
    VkResult result = prepare_dispatch(c, pipeline, ranges, rangeCount, pushConstants, pushConstantByteCount);
    if (result == VK_SUCCESS) c->device->CmdDispatchIndirect(c->buffer, (VkBuffer)buffer, offset);
    return result;
}

static void barrier(fv_commands *c, VkPipelineStageFlags to, VkAccessFlags access) {
    // A later command may also overwrite the buffer that an indirect dispatch read.
    const VkPipelineStageFlags work =
        VK_PIPELINE_STAGE_DRAW_INDIRECT_BIT | VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    VkMemoryBarrier memory = {VK_STRUCTURE_TYPE_MEMORY_BARRIER};
    memory.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
    memory.dstAccessMask = access;
    c->device->CmdPipelineBarrier(c->buffer, work, to, 0, 1, &memory, 0, NULL, 0, NULL);
}

void fv_barrier(fv_commands *c) {
    barrier(c, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_DRAW_INDIRECT_BIT,
            VK_ACCESS_INDIRECT_COMMAND_READ_BIT | VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT);
}

void fv_barrier_to_host(fv_commands *c) { barrier(c, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT); }

void fv_copy(fv_commands *c, uint64_t source, uint64_t sourceOffset, uint64_t destination, uint64_t destinationOffset,
             uint64_t byteCount) {
    VkBufferCopy region = {sourceOffset, destinationOffset, byteCount};
    c->device->CmdCopyBuffer(c->buffer, (VkBuffer)source, (VkBuffer)destination, 1, &region);
}

void fv_fill(fv_commands *c, uint64_t buffer, uint64_t offset, uint64_t byteCount, uint32_t word) {
    c->device->CmdFillBuffer(c->buffer, (VkBuffer)buffer, offset, byteCount, word);
}

void fv_timestamp(fv_commands *c, fv_mark mark, uint32_t index) {
    VkPipelineStageFlagBits stage =
        mark == FV_MARK_START ? VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT : VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT;
    c->device->CmdWriteTimestamp(c->buffer, stage, c->timestamps, index);
}

int32_t fv_read_timestamps(fv_commands *c, uint32_t count, uint64_t *ticks) {
    return c->device->GetQueryPoolResults(c->device->handle, c->timestamps, 0, count, count * sizeof *ticks, ticks,
                                          sizeof *ticks, VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
}

int32_t fv_calibrate(fv_device *device, uint64_t *ticks, uint64_t *nanoseconds, uint64_t *deviation) {
    if (!device->GetCalibratedTimestampsEXT) return VK_ERROR_EXTENSION_NOT_PRESENT;
    VkCalibratedTimestampInfoEXT clocks[2] = {
        {VK_STRUCTURE_TYPE_CALIBRATED_TIMESTAMP_INFO_EXT, NULL, VK_TIME_DOMAIN_DEVICE_EXT},
        {VK_STRUCTURE_TYPE_CALIBRATED_TIMESTAMP_INFO_EXT, NULL, VK_TIME_DOMAIN_CLOCK_MONOTONIC_EXT},
    };
    uint64_t times[2] = {0};
    VkResult result = device->GetCalibratedTimestampsEXT(device->handle, 2, clocks, times, deviation);
    *ticks = times[0];
    *nanoseconds = times[1];
    return result;
}

int32_t fv_submit(fv_device *device, fv_commands *c, uint64_t *value) {
    uint64_t next = device->timelineValue + 1;
    VkTimelineSemaphoreSubmitInfo timeline = {VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO};
    timeline.signalSemaphoreValueCount = 1;
    timeline.pSignalSemaphoreValues = &next;
    VkSubmitInfo info = {VK_STRUCTURE_TYPE_SUBMIT_INFO, &timeline};
    info.commandBufferCount = 1;
    info.pCommandBuffers = &c->buffer;
    info.signalSemaphoreCount = 1;
    info.pSignalSemaphores = &device->timeline;
    VkResult result = device->QueueSubmit(device->queue, 1, &info, VK_NULL_HANDLE);
    if (result == VK_SUCCESS) *value = device->timelineValue = next;
    return result;
}

int32_t fv_wait(fv_device *device, uint64_t value, uint64_t nanoseconds) {
    VkSemaphoreWaitInfo info = {VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO};
    info.semaphoreCount = 1;
    info.pSemaphores = &device->timeline;
    info.pValues = &value;
    return device->WaitSemaphores(device->handle, &info, nanoseconds);
}
