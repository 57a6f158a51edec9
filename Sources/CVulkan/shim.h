// What the shim's files share: the function table and the opaque structs.
#pragma once

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#include "CVulkan.h"

#define FV_GLOBAL_FUNCTIONS(F) F(CreateInstance) F(EnumerateInstanceVersion) F(EnumerateInstanceExtensionProperties)

#define FV_INSTANCE_FUNCTIONS(F)                                                                                        \
    F(EnumeratePhysicalDevices)                                                                                         \
    F(GetPhysicalDeviceProperties2)                                                                                     \
    F(GetPhysicalDeviceFeatures2)                                                                                       \
    F(GetPhysicalDeviceMemoryProperties2)                                                                               \
    F(GetPhysicalDeviceQueueFamilyProperties)                                                                           \
    F(EnumerateDeviceExtensionProperties)                                                                               \
    F(CreateDevice)                                                                                                     \
    F(GetDeviceProcAddr)

#define FV_DEVICE_FUNCTIONS(F)                                                                                          \
    F(DestroyDevice)                                                                                                    \
    F(DeviceWaitIdle)                                                                                                   \
    F(GetDeviceQueue)                                                                                                   \
    F(CreateBuffer)                                                                                                     \
    F(DestroyBuffer)                                                                                                    \
    F(GetBufferMemoryRequirements)                                                                                      \
    F(AllocateMemory)                                                                                                   \
    F(FreeMemory)                                                                                                       \
    F(BindBufferMemory)                                                                                                 \
    F(MapMemory)                                                                                                        \
    F(CreateShaderModule)                                                                                               \
    F(DestroyShaderModule)                                                                                              \
    F(CreateDescriptorSetLayout)                                                                                        \
    F(DestroyDescriptorSetLayout)                                                                                       \
    F(CreatePipelineLayout)                                                                                             \
    F(DestroyPipelineLayout)                                                                                            \
    F(CreateComputePipelines)                                                                                           \
    F(DestroyPipeline)                                                                                                  \
    F(CreatePipelineCache)                                                                                              \
    F(GetPipelineCacheData)                                                                                             \
    F(DestroyPipelineCache)                                                                                             \
    F(CreateCommandPool)                                                                                                \
    F(DestroyCommandPool)                                                                                               \
    F(ResetCommandPool)                                                                                                 \
    F(AllocateCommandBuffers)                                                                                           \
    F(BeginCommandBuffer)                                                                                               \
    F(EndCommandBuffer)                                                                                                 \
    F(CreateDescriptorPool)                                                                                             \
    F(DestroyDescriptorPool)                                                                                            \
    F(ResetDescriptorPool)                                                                                              \
    F(AllocateDescriptorSets)                                                                                           \
    F(UpdateDescriptorSets)                                                                                             \
    F(CreateQueryPool)                                                                                                  \
    F(DestroyQueryPool)                                                                                                 \
    F(GetQueryPoolResults)                                                                                              \
    F(CmdBindPipeline)                                                                                                  \
    F(CmdBindDescriptorSets)                                                                                            \
    F(CmdPushConstants)                                                                                                 \
    F(CmdDispatch)                                                                                                      \
    F(CmdDispatchIndirect)                                                                                              \
    F(CmdPipelineBarrier)                                                                                               \
    F(CmdCopyBuffer)                                                                                                    \
    F(CmdFillBuffer)                                                                                                    \
    F(CmdResetQueryPool)                                                                                                \
    F(CmdWriteTimestamp)                                                                                                \
    F(CreateSemaphore)                                                                                                  \
    F(DestroySemaphore)                                                                                                 \
    F(WaitSemaphores)                                                                                                   \
    F(QueueSubmit)

#define FV_DECLARE(name) PFN_vk##name name;

typedef struct {
    VkInstance instance;
    PFN_vkGetInstanceProcAddr GetInstanceProcAddr;
    FV_GLOBAL_FUNCTIONS(FV_DECLARE)
    FV_INSTANCE_FUNCTIONS(FV_DECLARE)
    // Null without their extensions.
    PFN_vkVoidFunction GetPhysicalDeviceCooperativeMatrixPropertiesKHR;
    PFN_vkGetPhysicalDeviceCalibrateableTimeDomainsEXT GetPhysicalDeviceCalibrateableTimeDomainsEXT;
    VkPhysicalDevice devices[16];
    uint32_t deviceCount;
} fv_instance;

extern fv_instance fv_vulkan;

struct fv_device {
    VkPhysicalDevice physical;
    VkDevice handle;
    VkQueue queue;
    uint32_t queueFamily;
    VkSemaphore timeline;
    uint64_t timelineValue;
    VkPhysicalDeviceMemoryProperties memory;
    bool captureStatistics;
    PFN_vkGetPipelineExecutablePropertiesKHR GetPipelineExecutablePropertiesKHR;
    PFN_vkGetPipelineExecutableStatisticsKHR GetPipelineExecutableStatisticsKHR;
    PFN_vkGetPipelineExecutableInternalRepresentationsKHR GetPipelineExecutableInternalRepresentationsKHR;
    PFN_vkGetCalibratedTimestampsEXT GetCalibratedTimestampsEXT;  // null without calibratedTimestamps
    FV_DEVICE_FUNCTIONS(FV_DECLARE)
};

// The first queue family with compute, preferring one without graphics; UINT32_MAX if none.
uint32_t fv_compute_queue_family(VkPhysicalDevice physical, VkQueueFamilyProperties *properties);
bool fv_has_extension(VkPhysicalDevice physical, const char *name);
