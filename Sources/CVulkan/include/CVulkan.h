// Flat functions over the part of Vulkan 1.3 that compute needs. The loader is opened at run time: a program that links this
// starts on a machine without Vulkan, and can report that Vulkan is missing.
//
// Every function that can fail returns a VkResult as int32_t (0 is success). Handles are opaque; the caller that creates one
// destroys it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// MARK: Loader and devices

// Result of fv_start when no loader could be opened; outside VkResult's range.
#define FV_NO_LOADER (-2000000001)

// Opens the Vulkan loader and creates the instance. Later calls return the first call's result.
int32_t fv_start(void);

typedef struct {
    uint64_t byteCount;   // size of the heap
    uint64_t budget;      // bytes that this process may use now; byteCount if the driver does not report them
    bool deviceLocal;
    bool hostVisible;     // some memory type of this heap can be mapped
} fv_heap;

typedef struct {
    uint32_t m, n, k;
    uint32_t aType, bType, cType, resultType;  // VkComponentTypeKHR
    uint32_t scope;                            // VkScopeKHR
} fv_matrix_shape;

typedef struct {
    char name[256], driverName[256], driverInfo[256];
    uint32_t apiVersion, driverVersion, vendorID, deviceID;
    uint32_t type;  // VkPhysicalDeviceType
    uint8_t uuid[16], pipelineCacheUUID[16];
    uint32_t subgroupSize, minSubgroupSize, maxSubgroupSize;
    uint32_t subgroupOperations;  // VkSubgroupFeatureFlags, in compute
    uint32_t maxWorkgroupInvocations;
    uint32_t maxWorkgroupSize[3], maxWorkgroupCount[3];
    uint32_t maxBindingCount;  // storage buffers of one pipeline
    uint32_t maxSharedByteCount, maxPushConstantByteCount;
    uint32_t storageBufferAlignment;
    uint64_t maxStorageBufferRange, maxAllocationByteCount;
    double timestampPeriod;  // nanoseconds a tick; 0 if the queue has no timestamps
    uint32_t timestampValidBits;
    uint32_t computeUnitCount;  // 0 if no extension reports it
    bool float16, int8, storage8Bit, storage16Bit;
    bool fullSubgroups, subgroupSizeControl;
    bool cooperativeMatrix, memoryBudget, executableProperties, calibratedTimestamps;
    bool float8Matrix;  // cooperative matrices of FP8
    uint32_t heapCount;
    fv_heap heaps[16];
    uint32_t matrixShapeCount;
    fv_matrix_shape matrixShapes[64];
} fv_device_info;

uint32_t fv_device_count(void);
int32_t fv_describe_device(uint32_t index, fv_device_info *info);

typedef struct fv_device fv_device;
// Opens the device with one compute queue and every optional feature of fv_device_info that it has.
// `captureStatistics`: pipelines keep the data for fv_pipeline_statistics and fv_pipeline_assembly, and compile more slowly.
int32_t fv_open_device(uint32_t index, bool captureStatistics, fv_device **device);
void fv_close_device(fv_device *device);

// MARK: Memory

typedef enum { FV_MEMORY_DEVICE = 0, FV_MEMORY_UPLOAD = 1, FV_MEMORY_READBACK = 2 } fv_memory_kind;

typedef struct {
    uint64_t buffer, memory;  // VkBuffer, VkDeviceMemory
    void *mapped;             // null if the host cannot address it
    uint64_t byteCount;
} fv_buffer;

int32_t fv_create_buffer(fv_device *device, uint64_t byteCount, fv_memory_kind kind, fv_buffer *buffer);
void fv_destroy_buffer(fv_device *device, const fv_buffer *buffer);

// MARK: Pipelines

typedef struct {
    uint64_t module, setLayout, layout, pipeline;
    bool cached;  // the driver found it in the request's cache
} fv_pipeline;

typedef struct {
    const uint32_t *words;
    size_t wordCount;
    uint32_t bindingCount;
    uint32_t pushConstantByteCount;
    const uint32_t *constantIDs;
    const uint32_t *constantValues;
    uint32_t constantCount;
    uint32_t requiredSubgroupSize;  // 0: the driver's choice
    bool fullSubgroups;
    uint64_t cache;  // VkPipelineCache, 0 for none
} fv_pipeline_request;

int32_t fv_create_pipeline(fv_device *device, const fv_pipeline_request *request, fv_pipeline *pipeline);
void fv_destroy_pipeline(fv_device *device, const fv_pipeline *pipeline);

typedef struct {
    char name[256];
    double value;
} fv_statistic;
// The driver's figures about the compiled code (registers, spills, ...); `count` is capacity in, number written out.
int32_t fv_pipeline_statistics(fv_device *device, const fv_pipeline *pipeline, fv_statistic *statistics, uint32_t *count);

// The driver's machine code as text. `byteCount` is capacity in, size out; with a null `text`, only the size. 0 bytes if the
// driver gives none.
int32_t fv_pipeline_assembly(fv_device *device, const fv_pipeline *pipeline, char *text, size_t *byteCount);

int32_t fv_create_pipeline_cache(fv_device *device, const void *data, size_t byteCount, uint64_t *cache);
int32_t fv_pipeline_cache_data(fv_device *device, uint64_t cache, void *data, size_t *byteCount);
void fv_destroy_pipeline_cache(fv_device *device, uint64_t cache);

// MARK: Commands

typedef struct fv_commands fv_commands;
int32_t fv_create_commands(fv_device *device, uint32_t timestampCapacity, fv_commands **commands);
void fv_destroy_commands(fv_commands *commands);
// Discards the last recording and starts a new one. The commands must not be running.
int32_t fv_begin(fv_commands *commands);
int32_t fv_end(fv_commands *commands);

typedef struct {
    uint64_t buffer, offset, byteCount;
} fv_range;
int32_t fv_dispatch(fv_commands *commands, const fv_pipeline *pipeline, const fv_range *ranges, uint32_t rangeCount,
                    const uint32_t *pushConstants, uint32_t pushConstantByteCount, uint32_t x, uint32_t y, uint32_t z);
// The same, with the numbers of workgroups read from a buffer when it runs: three words at `offset`, a multiple of four.
int32_t fv_dispatch_indirect(fv_commands *commands, const fv_pipeline *pipeline, const fv_range *ranges, uint32_t rangeCount,
                             const uint32_t *pushConstants, uint32_t pushConstantByteCount, uint64_t buffer, uint64_t offset);
// Makes all earlier shader and transfer writes visible to later shaders, transfers and indirect dispatches.
void fv_barrier(fv_commands *commands);
// Makes all earlier writes visible to the host once the submission has completed.
void fv_barrier_to_host(fv_commands *commands);
void fv_copy(fv_commands *commands, uint64_t source, uint64_t sourceOffset, uint64_t destination,
             uint64_t destinationOffset, uint64_t byteCount);
void fv_fill(fv_commands *commands, uint64_t buffer, uint64_t offset, uint64_t byteCount, uint32_t word);
typedef enum {
    FV_MARK_END = 0,    // the time at which all earlier commands had finished
    FV_MARK_START = 1,  // the time at which the device takes up the commands that follow
} fv_mark;
// Writes a time into slot `index`.
void fv_timestamp(fv_commands *commands, fv_mark mark, uint32_t index);
int32_t fv_read_timestamps(fv_commands *commands, uint32_t count, uint64_t *ticks);
// The device's clock and the host's (CLOCK_MONOTONIC, nanoseconds) at one moment, and how far apart the readings may be.
// VK_ERROR_EXTENSION_NOT_PRESENT without calibratedTimestamps.
int32_t fv_calibrate(fv_device *device, uint64_t *ticks, uint64_t *nanoseconds, uint64_t *deviation);

// Queues the commands; the device's timeline reaches `*value` when they are done.
int32_t fv_submit(fv_device *device, fv_commands *commands, uint64_t *value);
// Waits until the timeline reaches `value`. VK_TIMEOUT (2) after `nanoseconds`.
int32_t fv_wait(fv_device *device, uint64_t value, uint64_t nanoseconds);
