// Describes and opens a device.

#include <stdlib.h>
#include <string.h>

#include "shim.h"

// VK_KHR_cooperative_matrix is newer than the Vulkan headers of some distributions. These definitions are the parts used
// here, as in the Vulkan registry.
#define FV_COOPERATIVE_MATRIX "VK_KHR_cooperative_matrix"
#define FV_STRUCTURE_COOPERATIVE_MATRIX_FEATURES ((VkStructureType)1000506000)
#define FV_STRUCTURE_COOPERATIVE_MATRIX_PROPERTIES ((VkStructureType)1000506001)
typedef struct {
    VkStructureType sType;
    void *pNext;
    VkBool32 cooperativeMatrix, robustBufferAccess;
} fv_cooperative_matrix_features;
typedef struct {
    VkStructureType sType;
    void *pNext;
    uint32_t m, n, k;
    uint32_t aType, bType, cType, resultType;
    VkBool32 saturatingAccumulation;
    uint32_t scope;
} fv_cooperative_matrix_properties;
// The same for VK_EXT_shader_float8.
#define FV_SHADER_FLOAT8 "VK_EXT_shader_float8"
#define FV_STRUCTURE_SHADER_FLOAT8_FEATURES ((VkStructureType)1000567000)
typedef struct {
    VkStructureType sType;
    void *pNext;
    VkBool32 shaderFloat8, shaderFloat8CooperativeMatrix;
} fv_shader_float8_features;
typedef VkResult(VKAPI_PTR *fv_matrix_query)(VkPhysicalDevice, uint32_t *, fv_cooperative_matrix_properties *);

// The optional features, chained for a query and again for the device's creation.
typedef struct {
    VkPhysicalDeviceFeatures2 core;
    VkPhysicalDeviceVulkan11Features v11;
    VkPhysicalDeviceVulkan12Features v12;
    VkPhysicalDeviceVulkan13Features v13;
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executables;
    fv_cooperative_matrix_features matrix;
    fv_shader_float8_features float8;
} features;

static void query_features(VkPhysicalDevice physical, features *f) {
    memset(f, 0, sizeof *f);
    f->core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    f->v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
    f->v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
    f->v13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES;
    f->executables.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR;
    f->matrix.sType = FV_STRUCTURE_COOPERATIVE_MATRIX_FEATURES;
    f->float8.sType = FV_STRUCTURE_SHADER_FLOAT8_FEATURES;
    f->core.pNext = &f->v11;
    f->v11.pNext = &f->v12;
    f->v12.pNext = &f->v13;
    void **tail = &f->v13.pNext;
    if (fv_has_extension(physical, VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME)) {
        *tail = &f->executables;
        tail = &f->executables.pNext;
    }
    if (fv_has_extension(physical, FV_COOPERATIVE_MATRIX)) {
        *tail = &f->matrix;
        tail = &f->matrix.pNext;
    }
    if (fv_has_extension(physical, FV_SHADER_FLOAT8)) *tail = &f->float8;
    fv_vulkan.GetPhysicalDeviceFeatures2(physical, &f->core);
}

// Whether the device has the Vulkan memory model with device scope, the default scope of atomics in GLSL.
static bool has_memory_model(const features *f) {
    return f->v12.vulkanMemoryModel && f->v12.vulkanMemoryModelDeviceScope;
}

// Whether the device's clock and CLOCK_MONOTONIC can be read at the same moment.
static bool has_calibrated_timestamps(VkPhysicalDevice physical) {
    if (!fv_has_extension(physical, VK_EXT_CALIBRATED_TIMESTAMPS_EXTENSION_NAME)) return false;
    VkTimeDomainEXT domains[16];
    uint32_t count = 16;
    if (!fv_vulkan.GetPhysicalDeviceCalibrateableTimeDomainsEXT ||
        fv_vulkan.GetPhysicalDeviceCalibrateableTimeDomainsEXT(physical, &count, domains) < 0)
        return false;
    bool device = false, host = false;
    for (uint32_t i = 0; i < count; i++) {
        device = device || domains[i] == VK_TIME_DOMAIN_DEVICE_EXT;
        host = host || domains[i] == VK_TIME_DOMAIN_CLOCK_MONOTONIC_EXT;
    }
    return device && host;
}

static void describe_memory(VkPhysicalDevice physical, fv_device_info *info) {
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 memory = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
    info->memoryBudget = fv_has_extension(physical, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    if (info->memoryBudget) memory.pNext = &budget;
    fv_vulkan.GetPhysicalDeviceMemoryProperties2(physical, &memory);
    const VkPhysicalDeviceMemoryProperties *m = &memory.memoryProperties;
    info->heapCount = m->memoryHeapCount;
    for (uint32_t i = 0; i < m->memoryHeapCount; i++) {
        fv_heap *heap = &info->heaps[i];
        heap->byteCount = m->memoryHeaps[i].size;
        heap->budget = info->memoryBudget && budget.heapBudget[i] ? budget.heapBudget[i] : heap->byteCount;
        heap->deviceLocal = m->memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT;
    }
    for (uint32_t i = 0; i < m->memoryTypeCount; i++)
        if (m->memoryTypes[i].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)
            info->heaps[m->memoryTypes[i].heapIndex].hostVisible = true;
}

// Multiprocessors, compute units or cores, from the extension that reports them; 0 if none does.
static uint32_t count_compute_units(VkPhysicalDevice physical) {
    VkPhysicalDeviceShaderSMBuiltinsPropertiesNV multiprocessors = {
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_SM_BUILTINS_PROPERTIES_NV};
    VkPhysicalDeviceShaderCorePropertiesAMD units = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_CORE_PROPERTIES_AMD};
    VkPhysicalDeviceShaderCoreProperties2AMD active = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_CORE_PROPERTIES_2_AMD};
    VkPhysicalDeviceShaderCoreBuiltinsPropertiesARM cores = {
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_CORE_BUILTINS_PROPERTIES_ARM};
    VkPhysicalDeviceProperties2 core = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    void **tail = &core.pNext;
    if (fv_has_extension(physical, VK_NV_SHADER_SM_BUILTINS_EXTENSION_NAME)) {
        *tail = &multiprocessors;
        tail = &multiprocessors.pNext;
    }
    if (fv_has_extension(physical, VK_AMD_SHADER_CORE_PROPERTIES_EXTENSION_NAME)) {
        *tail = &units;
        tail = &units.pNext;
    }
    if (fv_has_extension(physical, VK_AMD_SHADER_CORE_PROPERTIES_2_EXTENSION_NAME)) {
        *tail = &active;
        tail = &active.pNext;
    }
    if (fv_has_extension(physical, VK_ARM_SHADER_CORE_BUILTINS_EXTENSION_NAME)) *tail = &cores;
    fv_vulkan.GetPhysicalDeviceProperties2(physical, &core);
    if (multiprocessors.shaderSMCount) return multiprocessors.shaderSMCount;
    if (active.activeComputeUnitCount) return active.activeComputeUnitCount;
    if (cores.shaderCoreCount) return cores.shaderCoreCount;
    return units.shaderEngineCount * units.shaderArraysPerEngineCount * units.computeUnitsPerShaderArray;
}

static void describe_matrices(VkPhysicalDevice physical, fv_device_info *info) {
    fv_matrix_query query = (fv_matrix_query)fv_vulkan.GetPhysicalDeviceCooperativeMatrixPropertiesKHR;
    if (!info->cooperativeMatrix || !query) return;
    fv_cooperative_matrix_properties shapes[64];
    memset(shapes, 0, sizeof shapes);
    for (int i = 0; i < 64; i++) shapes[i].sType = FV_STRUCTURE_COOPERATIVE_MATRIX_PROPERTIES;
    uint32_t count = 64;
    VkResult result = query(physical, &count, shapes);
    if (result != VK_SUCCESS && result != VK_INCOMPLETE) return;
    for (uint32_t i = 0; i < count; i++) {
        fv_cooperative_matrix_properties s = shapes[i];
        info->matrixShapes[i] = (fv_matrix_shape){s.m, s.n, s.k, s.aType, s.bType, s.cType, s.resultType, s.scope};
    }
    info->matrixShapeCount = count;
}

int32_t fv_describe_device(uint32_t index, fv_device_info *info) {
    if (index >= fv_vulkan.deviceCount) return VK_ERROR_INITIALIZATION_FAILED;
    VkPhysicalDevice physical = fv_vulkan.devices[index];
    memset(info, 0, sizeof *info);

    VkPhysicalDeviceVulkan13Properties v13 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_PROPERTIES};
    VkPhysicalDeviceVulkan12Properties v12 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES, &v13};
    VkPhysicalDeviceVulkan11Properties v11 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES, &v12};
    VkPhysicalDeviceProperties2 core = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &v11};
    fv_vulkan.GetPhysicalDeviceProperties2(physical, &core);
    const VkPhysicalDeviceProperties *p = &core.properties;
    const VkPhysicalDeviceLimits *limits = &p->limits;
    memcpy(info->name, p->deviceName, sizeof info->name);
    memcpy(info->driverName, v12.driverName, sizeof info->driverName);
    memcpy(info->driverInfo, v12.driverInfo, sizeof info->driverInfo);
    info->apiVersion = p->apiVersion;
    info->driverVersion = p->driverVersion;
    info->vendorID = p->vendorID;
    info->deviceID = p->deviceID;
    info->type = p->deviceType;
    memcpy(info->uuid, v11.deviceUUID, sizeof info->uuid);
    memcpy(info->pipelineCacheUUID, p->pipelineCacheUUID, sizeof info->pipelineCacheUUID);
    info->subgroupSize = v11.subgroupSize;
    info->minSubgroupSize = v13.minSubgroupSize;
    info->maxSubgroupSize = v13.maxSubgroupSize;
    if (v11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT) info->subgroupOperations = v11.subgroupSupportedOperations;
    info->maxWorkgroupInvocations = limits->maxComputeWorkGroupInvocations;
    memcpy(info->maxWorkgroupSize, limits->maxComputeWorkGroupSize, sizeof info->maxWorkgroupSize);
    memcpy(info->maxWorkgroupCount, limits->maxComputeWorkGroupCount, sizeof info->maxWorkgroupCount);
    info->maxBindingCount = limits->maxPerStageDescriptorStorageBuffers;
    info->maxSharedByteCount = limits->maxComputeSharedMemorySize;
    info->maxPushConstantByteCount = limits->maxPushConstantsSize;
    info->storageBufferAlignment = (uint32_t)limits->minStorageBufferOffsetAlignment;
    info->maxStorageBufferRange = limits->maxStorageBufferRange;
    info->maxAllocationByteCount = v11.maxMemoryAllocationSize;
    info->timestampPeriod = limits->timestampPeriod;

    VkQueueFamilyProperties family = {0};
    if (fv_compute_queue_family(physical, &family) == UINT32_MAX) return VK_ERROR_FEATURE_NOT_PRESENT;
    info->timestampValidBits = family.timestampValidBits;
    if (!family.timestampValidBits) info->timestampPeriod = 0;

    features f;
    query_features(physical, &f);
    info->float16 = f.v12.shaderFloat16;
    info->int8 = f.v12.shaderInt8;
    info->storage8Bit = f.v12.storageBuffer8BitAccess;
    info->storage16Bit = f.v11.storageBuffer16BitAccess;
    info->fullSubgroups = f.v13.computeFullSubgroups;
    info->subgroupSizeControl =
        f.v13.subgroupSizeControl && (v13.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT);
    info->executableProperties = f.executables.pipelineExecutableInfo;
    info->cooperativeMatrix = f.matrix.cooperativeMatrix && has_memory_model(&f);
    info->float8Matrix = info->cooperativeMatrix && f.float8.shaderFloat8 && f.float8.shaderFloat8CooperativeMatrix;
    info->calibratedTimestamps = info->timestampPeriod > 0 && has_calibrated_timestamps(physical);
    info->computeUnitCount = count_compute_units(physical);
    describe_memory(physical, info);
    describe_matrices(physical, info);
    return VK_SUCCESS;
}

int32_t fv_open_device(uint32_t index, bool captureStatistics, fv_device **out) {
    fv_device_info info;
    VkResult result = fv_describe_device(index, &info);
    if (result != VK_SUCCESS) return result;
    fv_device *device = calloc(1, sizeof *device);
    if (!device) return VK_ERROR_OUT_OF_HOST_MEMORY;
    device->physical = fv_vulkan.devices[index];

    // Enables the features that the device reported. Robust buffer access stays off, for speed.
    features have;
    query_features(device->physical, &have);
    VkPhysicalDeviceVulkan13Features v13 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES};
    v13.maintenance4 = VK_TRUE;
    v13.synchronization2 = VK_TRUE;
    v13.computeFullSubgroups = have.v13.computeFullSubgroups;
    v13.subgroupSizeControl = have.v13.subgroupSizeControl;
    VkPhysicalDeviceVulkan12Features v12 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, &v13};
    v12.timelineSemaphore = VK_TRUE;
    v12.shaderFloat16 = have.v12.shaderFloat16;
    v12.shaderInt8 = have.v12.shaderInt8;
    v12.storageBuffer8BitAccess = have.v12.storageBuffer8BitAccess;
    // Shaders with cooperative matrices declare the memory model. If it is enabled, the other shaders' atomics, whose scope is the
    // device, require vulkanMemoryModelDeviceScope too.
    v12.vulkanMemoryModel = v12.vulkanMemoryModelDeviceScope = has_memory_model(&have);
    VkPhysicalDeviceVulkan11Features v11 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, &v12};
    v11.storageBuffer16BitAccess = have.v11.storageBuffer16BitAccess;
    VkPhysicalDeviceFeatures2 core = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &v11};
    core.features.shaderInt16 = have.core.features.shaderInt16;

    const char *extensions[6];
    uint32_t extensionCount = 0;
    void **tail = &v13.pNext;
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executables = {
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR, NULL, VK_TRUE};
    fv_cooperative_matrix_features matrix = {FV_STRUCTURE_COOPERATIVE_MATRIX_FEATURES, NULL, VK_TRUE, VK_FALSE};
    fv_shader_float8_features float8 = {FV_STRUCTURE_SHADER_FLOAT8_FEATURES, NULL, VK_TRUE, VK_TRUE};
    device->captureStatistics = captureStatistics && info.executableProperties;
    if (device->captureStatistics) {
        extensions[extensionCount++] = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
        *tail = &executables;
        tail = &executables.pNext;
    }
    if (info.cooperativeMatrix) {
        extensions[extensionCount++] = FV_COOPERATIVE_MATRIX;
        *tail = &matrix;
        tail = &matrix.pNext;
    }
    if (info.float8Matrix) {
        extensions[extensionCount++] = FV_SHADER_FLOAT8;
        *tail = &float8;
    }
    if (info.memoryBudget) extensions[extensionCount++] = VK_EXT_MEMORY_BUDGET_EXTENSION_NAME;
    if (info.calibratedTimestamps) extensions[extensionCount++] = VK_EXT_CALIBRATED_TIMESTAMPS_EXTENSION_NAME;

    VkQueueFamilyProperties family;
    device->queueFamily = fv_compute_queue_family(device->physical, &family);
    float priority = 1;
    VkDeviceQueueCreateInfo queue = {VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO};
    queue.queueFamilyIndex = device->queueFamily;
    queue.queueCount = 1;
    queue.pQueuePriorities = &priority;
    VkDeviceCreateInfo request = {VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, &core};
    request.queueCreateInfoCount = 1;
    request.pQueueCreateInfos = &queue;
    request.enabledExtensionCount = extensionCount;
    request.ppEnabledExtensionNames = extensions;
    result = fv_vulkan.CreateDevice(device->physical, &request, NULL, &device->handle);
    if (result != VK_SUCCESS) {
        free(device);
        return result;
    }
#define LOAD(name) device->name = (PFN_vk##name)fv_vulkan.GetDeviceProcAddr(device->handle, "vk" #name);
    FV_DEVICE_FUNCTIONS(LOAD)
    if (device->captureStatistics) {
        LOAD(GetPipelineExecutablePropertiesKHR)
        LOAD(GetPipelineExecutableStatisticsKHR)
        LOAD(GetPipelineExecutableInternalRepresentationsKHR)
    }
    if (info.calibratedTimestamps) { LOAD(GetCalibratedTimestampsEXT) }
#undef LOAD
    device->GetDeviceQueue(device->handle, device->queueFamily, 0, &device->queue);

    VkPhysicalDeviceMemoryProperties2 memory = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
    fv_vulkan.GetPhysicalDeviceMemoryProperties2(device->physical, &memory);
    device->memory = memory.memoryProperties;
    VkSemaphoreTypeCreateInfo type = {VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO};
    type.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
    VkSemaphoreCreateInfo semaphore = {VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, &type};
    result = device->CreateSemaphore(device->handle, &semaphore, NULL, &device->timeline);
    if (result != VK_SUCCESS) {
        device->DestroyDevice(device->handle, NULL);
        free(device);
        return result;
    }
    *out = device;
    return VK_SUCCESS;
}

void fv_close_device(fv_device *device) {
    device->DeviceWaitIdle(device->handle);
    device->DestroySemaphore(device->handle, device->timeline, NULL);
    device->DestroyDevice(device->handle, NULL);
    free(device);
}
