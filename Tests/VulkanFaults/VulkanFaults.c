#include "VulkanFaults.h"

#include <sys/mman.h>

#include "shim.h"

static PFN_vkAllocateMemory allocate;
static PFN_vkWaitSemaphores wait;
static _Atomic int allowed;

static PFN_vkAllocateMemory allocate_shared;
static PFN_vkGetBufferMemoryRequirements requirements;
static uint32_t shared_type;

static VkResult VKAPI_CALL allocate_some(VkDevice device, const VkMemoryAllocateInfo *info,
                                         const VkAllocationCallbacks *callbacks, VkDeviceMemory *memory) {
    if (allowed == 0) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    if (allowed > 0) allowed--;
    return allocate(device, info, callbacks, memory);
}

static VkResult VKAPI_CALL submit_lost(VkQueue queue, uint32_t count, const VkSubmitInfo *infos, VkFence fence) {
    (void)queue, (void)count, (void)infos, (void)fence;
    return VK_ERROR_DEVICE_LOST;
}

// The work is waited for all the same: what it uses is freed afterwards.
static VkResult VKAPI_CALL wait_lost(VkDevice device, const VkSemaphoreWaitInfo *info, uint64_t nanoseconds) {
    wait(device, info, nanoseconds);
    return VK_ERROR_DEVICE_LOST;
}

// Times out without waiting. Submitted work continues.
static VkResult VKAPI_CALL wait_too_long(VkDevice device, const VkSemaphoreWaitInfo *info, uint64_t nanoseconds) {
    (void)device, (void)info, (void)nanoseconds;
    return VK_TIMEOUT;
}

void faults_allow_allocations(fv_device *device, int count) {
    if (device->AllocateMemory != allocate_some) allocate = device->AllocateMemory;
    device->AllocateMemory = allocate_some;
    allowed = count;
}

static VkResult VKAPI_CALL allocate_split(VkDevice device, const VkMemoryAllocateInfo *info,
                                          const VkAllocationCallbacks *callbacks, VkDeviceMemory *memory) {
    VkMemoryAllocateInfo real = *info;
    real.memoryTypeIndex = shared_type;
    return allocate_shared(device, &real, callbacks, memory);
}

static void VKAPI_CALL split_requirements(VkDevice device, VkBuffer buffer, VkMemoryRequirements *needs) {
    requirements(device, buffer, needs);
    needs->memoryTypeBits = 3;
}

void faults_split_memory(fv_device *device) {
    const VkMemoryPropertyFlags host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    VkPhysicalDeviceMemoryProperties *memory = &device->memory;
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
        VkMemoryType type = memory->memoryTypes[i];
        if ((type.propertyFlags & host) != host || !(type.propertyFlags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT)) continue;
        shared_type = i;
        allocate_shared = device->AllocateMemory;
        requirements = device->GetBufferMemoryRequirements;
        device->AllocateMemory = allocate_split;
        device->GetBufferMemoryRequirements = split_requirements;
        memory->memoryTypes[0] = (VkMemoryType){VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, type.heapIndex};
        memory->memoryTypes[1] = (VkMemoryType){host, type.heapIndex};
        memory->memoryTypeCount = 2;
        return;
    }
}

void faults_lose_at_submit(fv_device *device) { device->QueueSubmit = submit_lost; }

void faults_lose_at_wait(fv_device *device) {
    if (device->WaitSemaphores != wait_lost) wait = device->WaitSemaphores;
    device->WaitSemaphores = wait_lost;
}

static VkResult VKAPI_CALL map_nothing(VkDevice device, VkDeviceMemory memory, VkDeviceSize offset, VkDeviceSize size,
                                       VkMemoryMapFlags flags, void **mapped) {
    (void)device, (void)memory, (void)offset, (void)size, (void)flags;
    *mapped = MAP_FAILED;
    return VK_SUCCESS;
}

void faults_map_nothing(fv_device *device) { device->MapMemory = map_nothing; }

void faults_time_out_at_wait(fv_device *device) { device->WaitSemaphores = wait_too_long; }
