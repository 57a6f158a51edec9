// Compute pipelines: every binding a storage buffer in set 0, one push-constant block, constants of 32 bits.

#include <stdio.h>
#include <string.h>

#include "shim.h"

int32_t fv_create_pipeline(fv_device *device, const fv_pipeline_request *request, fv_pipeline *out) {
    memset(out, 0, sizeof *out);
    VkShaderModuleCreateInfo code = {VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO};
    code.codeSize = request->wordCount * 4;
    code.pCode = request->words;
    VkShaderModule module = VK_NULL_HANDLE;
    VkResult result = device->CreateShaderModule(device->handle, &code, NULL, &module);
    out->module = (uint64_t)module;

    VkDescriptorSetLayoutBinding bindings[32];
    if (request->bindingCount > 32 || request->constantCount > 32) result = VK_ERROR_TOO_MANY_OBJECTS;
    for (uint32_t i = 0; i < request->bindingCount && i < 32; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){i, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL};
    VkDescriptorSetLayout setLayout = VK_NULL_HANDLE;
    if (result == VK_SUCCESS) {
        VkDescriptorSetLayoutCreateInfo info = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO};
        info.bindingCount = request->bindingCount;
        info.pBindings = bindings;
        result = device->CreateDescriptorSetLayout(device->handle, &info, NULL, &setLayout);
        out->setLayout = (uint64_t)setLayout;
    }
    VkPipelineLayout layout = VK_NULL_HANDLE;
    if (result == VK_SUCCESS) {
        VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, request->pushConstantByteCount};
        VkPipelineLayoutCreateInfo info = {VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO};
        info.setLayoutCount = 1;
        info.pSetLayouts = &setLayout;
        info.pushConstantRangeCount = request->pushConstantByteCount ? 1 : 0;
        info.pPushConstantRanges = &push;
        result = device->CreatePipelineLayout(device->handle, &info, NULL, &layout);
        out->layout = (uint64_t)layout;
    }
    if (result == VK_SUCCESS) {
        VkSpecializationMapEntry entries[32];
        for (uint32_t i = 0; i < request->constantCount; i++)
            entries[i] = (VkSpecializationMapEntry){request->constantIDs[i], i * 4, 4};
        VkSpecializationInfo constants = {request->constantCount, entries, request->constantCount * 4, request->constantValues};
        VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup = {
            VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO, NULL, request->requiredSubgroupSize};
        VkComputePipelineCreateInfo info = {VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO};
        info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
        info.stage.pNext = request->requiredSubgroupSize ? &subgroup : NULL;
        info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
        if (request->fullSubgroups) info.stage.flags = VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
        info.stage.module = module;
        info.stage.pName = "main";
        info.stage.pSpecializationInfo = &constants;
        info.layout = layout;
        if (device->captureStatistics)
            info.flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR |
                         VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
        VkPipelineCreationFeedback whole = {0}, stage = {0};
        VkPipelineCreationFeedbackCreateInfo feedback = {
            VK_STRUCTURE_TYPE_PIPELINE_CREATION_FEEDBACK_CREATE_INFO, NULL, &whole, 1, &stage};
        info.pNext = &feedback;
        VkPipeline pipeline = VK_NULL_HANDLE;
        result = device->CreateComputePipelines(device->handle, (VkPipelineCache)request->cache, 1, &info, NULL, &pipeline);
        out->pipeline = (uint64_t)pipeline;
        out->cached = whole.flags & VK_PIPELINE_CREATION_FEEDBACK_APPLICATION_PIPELINE_CACHE_HIT_BIT;
    }
    if (result != VK_SUCCESS) fv_destroy_pipeline(device, out);
    return result;
}

void fv_destroy_pipeline(fv_device *device, const fv_pipeline *pipeline) {
    device->DestroyPipeline(device->handle, (VkPipeline)pipeline->pipeline, NULL);
    device->DestroyPipelineLayout(device->handle, (VkPipelineLayout)pipeline->layout, NULL);
    device->DestroyDescriptorSetLayout(device->handle, (VkDescriptorSetLayout)pipeline->setLayout, NULL);
    device->DestroyShaderModule(device->handle, (VkShaderModule)pipeline->module, NULL);
}

static double statistic_value(const VkPipelineExecutableStatisticKHR *s) {
    switch (s->format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR: return s->value.b32;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR: return (double)s->value.i64;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR: return (double)s->value.u64;
    default: return s->value.f64;
    }
}

int32_t fv_pipeline_statistics(fv_device *device, const fv_pipeline *pipeline, fv_statistic *statistics, uint32_t *count) {
    if (!device->captureStatistics) return VK_ERROR_FEATURE_NOT_PRESENT;
    // A compute pipeline has one executable on every known driver; the first is the shader.
    VkPipelineExecutableInfoKHR info = {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR};
    info.pipeline = (VkPipeline)pipeline->pipeline;
    VkPipelineExecutableStatisticKHR found[64];
    memset(found, 0, sizeof found);
    for (int i = 0; i < 64; i++) found[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
    uint32_t foundCount = 64;
    VkResult result = device->GetPipelineExecutableStatisticsKHR(device->handle, &info, &foundCount, found);
    if (result != VK_SUCCESS && result != VK_INCOMPLETE) return result;
    uint32_t written = 0;
    for (uint32_t i = 0; i < foundCount && written < *count; i++, written++) {
        snprintf(statistics[written].name, sizeof statistics[written].name, "%s", found[i].name);
        statistics[written].value = statistic_value(&found[i]);
    }
    *count = written;
    return VK_SUCCESS;
}

int32_t fv_pipeline_assembly(fv_device *device, const fv_pipeline *pipeline, char *text, size_t *byteCount) {
    if (!device->captureStatistics) return VK_ERROR_FEATURE_NOT_PRESENT;
    VkPipelineExecutableInfoKHR info = {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR};
    info.pipeline = (VkPipeline)pipeline->pipeline;
    VkPipelineExecutableInternalRepresentationKHR forms[32];
    memset(forms, 0, sizeof forms);
    for (int i = 0; i < 32; i++) forms[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
    uint32_t count = 32;
    VkResult result = device->GetPipelineExecutableInternalRepresentationsKHR(device->handle, &info, &count, forms);
    if (result != VK_SUCCESS && result != VK_INCOMPLETE) return result;
    // Drivers list the code's forms from the shader's to the machine's: the last text is the machine's.
    uint32_t last = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++)
        if (forms[i].isText) last = i;
    if (last == UINT32_MAX) {
        *byteCount = 0;
        return VK_SUCCESS;
    }
    if (text) {
        forms[last].pData = text;
        forms[last].dataSize = *byteCount;
        // For a form with a null pData the driver returns the size only.
        result = device->GetPipelineExecutableInternalRepresentationsKHR(device->handle, &info, &count, forms);
        if (result != VK_SUCCESS) return result;
    }
    *byteCount = forms[last].dataSize;
    return VK_SUCCESS;
}

int32_t fv_create_pipeline_cache(fv_device *device, const void *data, size_t byteCount, uint64_t *cache) {
    VkPipelineCacheCreateInfo info = {VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
    info.initialDataSize = byteCount;
    info.pInitialData = data;
    return device->CreatePipelineCache(device->handle, &info, NULL, (VkPipelineCache *)cache);
}

int32_t fv_pipeline_cache_data(fv_device *device, uint64_t cache, void *data, size_t *byteCount) {
    return device->GetPipelineCacheData(device->handle, (VkPipelineCache)cache, byteCount, data);
}

void fv_destroy_pipeline_cache(fv_device *device, uint64_t cache) {
    device->DestroyPipelineCache(device->handle, (VkPipelineCache)cache, NULL);
}
