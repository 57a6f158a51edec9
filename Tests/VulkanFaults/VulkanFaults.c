#include "VulkanFaults.h"

#include "shim.h"

static PFN_vkAllocateMemory allocate;
static PFN_vkWaitSemaphores wait;
static int allowed;

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

void faults_allow_allocations(fv_device *device, int count) {
    if (device->AllocateMemory != allocate_some) allocate = device->AllocateMemory;
    device->AllocateMemory = allocate_some;
    allowed = count;
}

void faults_lose_at_submit(fv_device *device) { device->QueueSubmit = submit_lost; }

void faults_lose_at_wait(fv_device *device) {
    if (device->WaitSemaphores != wait_lost) wait = device->WaitSemaphores;
    device->WaitSemaphores = wait_lost;
}
