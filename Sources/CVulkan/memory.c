// Buffers, each with memory of its own: callers allocate few and large ones and hand out ranges.

#include <sys/mman.h>

#include "shim.h"

// The first memory type in `allowed` with all of `wanted`, or UINT32_MAX.
static uint32_t memory_type(const fv_device *device, uint32_t allowed, VkMemoryPropertyFlags wanted) {
    for (uint32_t i = 0; i < device->memory.memoryTypeCount; i++)
        if ((allowed >> i & 1) && (device->memory.memoryTypes[i].propertyFlags & wanted) == wanted) return i;
    return UINT32_MAX;
}

int32_t fv_create_buffer(fv_device *device, uint64_t byteCount, fv_memory_kind kind, fv_buffer *out) {
    VkBufferCreateInfo request = {VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO};
    request.size = byteCount;
    request.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                    VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT;
    VkBuffer buffer;
    VkResult result = device->CreateBuffer(device->handle, &request, NULL, &buffer);
    if (result != VK_SUCCESS) return result;
    VkMemoryRequirements needs;
    device->GetBufferMemoryRequirements(device->handle, buffer, &needs);

    // Each kind's wanted properties, best first. Device memory that the host can map too (on integrated and software
    // devices) needs no staging copy.
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    const VkMemoryPropertyFlags host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    const VkMemoryPropertyFlags cached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    const VkMemoryPropertyFlags wishes[3][3] = {{local, 0, 0}, {host, host, host}, {host | cached, host, host}};
    uint32_t type = UINT32_MAX;
    for (int i = 0; i < 3 && type == UINT32_MAX; i++) type = memory_type(device, needs.memoryTypeBits, wishes[kind][i]);
    if (type == UINT32_MAX) {
        device->DestroyBuffer(device->handle, buffer, NULL);
        return VK_ERROR_FEATURE_NOT_PRESENT;
    }
    VkMemoryAllocateInfo allocation = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO};
    allocation.allocationSize = needs.size;
    allocation.memoryTypeIndex = type;
    VkDeviceMemory memory;
    result = device->AllocateMemory(device->handle, &allocation, NULL, &memory);
    if (result != VK_SUCCESS) {
        device->DestroyBuffer(device->handle, buffer, NULL);
        return result;
    }
    void *mapped = NULL;
    result = device->BindBufferMemory(device->handle, buffer, memory, 0);
    const VkMemoryPropertyFlags flags = device->memory.memoryTypes[type].propertyFlags;
    if (result == VK_SUCCESS && (flags & host) == host) {
        result = device->MapMemory(device->handle, memory, 0, VK_WHOLE_SIZE, 0, &mapped);
        // Some drivers report success with mmap's error value if the address space is used up.
        if (result == VK_SUCCESS && (!mapped || mapped == MAP_FAILED)) result = VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    *out = (fv_buffer){(uint64_t)buffer, (uint64_t)memory, mapped, byteCount};
    if (result != VK_SUCCESS) fv_destroy_buffer(device, out);
    return result;
}

void fv_destroy_buffer(fv_device *device, const fv_buffer *buffer) {
    device->DestroyBuffer(device->handle, (VkBuffer)buffer->buffer, NULL);
    device->FreeMemory(device->handle, (VkDeviceMemory)buffer->memory, NULL);
}
