// Makes an open device fail as a real one does when memory runs out or the driver resets: calls at the shim's edge
// answer with the error instead of, or after, doing their work. And makes it look like a card with memory of its own.
#pragma once

#include "CVulkan.h"

// The next `count` memory allocations succeed, those after fail; a negative count heals the device.
void faults_allow_allocations(fv_device *device, int count);
// The device's memory can no longer be mapped: uploads and downloads go through staging buffers. For a device whose
// memory is the host's, as the software one's; on others nothing changes.
void faults_split_memory(fv_device *device);
// Submissions fail from now on.
void faults_lose_at_submit(fv_device *device);
// Work runs, and whoever waits for it is told that the device was lost.
void faults_lose_at_wait(fv_device *device);
// Mapping memory succeeds with the error value of mmap from now on.
void faults_map_nothing(fv_device *device);
// Every wait from now on returns immediately with a timeout. Submitted work continues.
void faults_time_out_at_wait(fv_device *device);
