// Opens the loader and creates the instance.

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "shim.h"

fv_instance fv_vulkan;

static int32_t start(void) {
    void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) library = dlopen("libvulkan.so", RTLD_NOW | RTLD_LOCAL);
    if (!library) return FV_NO_LOADER;
    fv_vulkan.GetInstanceProcAddr = (PFN_vkGetInstanceProcAddr)dlsym(library, "vkGetInstanceProcAddr");
    if (!fv_vulkan.GetInstanceProcAddr) return FV_NO_LOADER;

#define LOAD(name) fv_vulkan.name = (PFN_vk##name)fv_vulkan.GetInstanceProcAddr(fv_vulkan.instance, "vk" #name);
    FV_GLOBAL_FUNCTIONS(LOAD)
    if (!fv_vulkan.CreateInstance) return VK_ERROR_INITIALIZATION_FAILED;
    // A 1.0 loader has no vkEnumerateInstanceVersion and cannot serve 1.3 devices.
    if (!fv_vulkan.EnumerateInstanceVersion) return VK_ERROR_INCOMPATIBLE_DRIVER;

    VkApplicationInfo application = {VK_STRUCTURE_TYPE_APPLICATION_INFO};
    application.pApplicationName = "fathom";
    application.apiVersion = VK_API_VERSION_1_3;
    VkInstanceCreateInfo request = {VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO};
    request.pApplicationInfo = &application;
    VkResult result = fv_vulkan.CreateInstance(&request, NULL, &fv_vulkan.instance);
    if (result != VK_SUCCESS) return result;
    FV_INSTANCE_FUNCTIONS(LOAD)
    LOAD(GetPhysicalDeviceCalibrateableTimeDomainsEXT)
#undef LOAD
    fv_vulkan.GetPhysicalDeviceCooperativeMatrixPropertiesKHR =
        fv_vulkan.GetInstanceProcAddr(fv_vulkan.instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");

    VkPhysicalDevice found[64];
    uint32_t count = 64;
    result = fv_vulkan.EnumeratePhysicalDevices(fv_vulkan.instance, &count, found);
    // The loader returns this if the installed drivers have no device: an empty list, and no error.
    if (result == VK_ERROR_INITIALIZATION_FAILED) return VK_SUCCESS;
    if (result != VK_SUCCESS && result != VK_INCOMPLETE) return result;
    for (uint32_t i = 0; i < count && fv_vulkan.deviceCount < 16; i++) {
        VkPhysicalDeviceProperties2 properties = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
        fv_vulkan.GetPhysicalDeviceProperties2(found[i], &properties);
        VkQueueFamilyProperties family;
        if (properties.properties.apiVersion < VK_API_VERSION_1_3) continue;
        if (fv_compute_queue_family(found[i], &family) == UINT32_MAX) continue;
        fv_vulkan.devices[fv_vulkan.deviceCount++] = found[i];
    }
    return VK_SUCCESS;
}

int32_t fv_start(void) {
    // The caller serialises the first call: GPU makes it in a static initialiser.
    static bool started;
    static int32_t result;
    if (!started) {
        started = true;
        result = start();
    }
    return result;
}

uint32_t fv_device_count(void) { return fv_vulkan.deviceCount; }

uint32_t fv_compute_queue_family(VkPhysicalDevice physical, VkQueueFamilyProperties *properties) {
    VkQueueFamilyProperties families[32];
    uint32_t count = 32, best = UINT32_MAX;
    fv_vulkan.GetPhysicalDeviceQueueFamilyProperties(physical, &count, families);
    for (uint32_t i = 0; i < count; i++) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) continue;
        if (best == UINT32_MAX || !(families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT)) {
            best = i;
            *properties = families[i];
            if (!(families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT)) break;
        }
    }
    return best;
}

bool fv_has_extension(VkPhysicalDevice physical, const char *name) {
    uint32_t count = 0;
    fv_vulkan.EnumerateDeviceExtensionProperties(physical, NULL, &count, NULL);
    VkExtensionProperties *extensions = calloc(count ? count : 1, sizeof *extensions);
    if (!extensions) return false;
    fv_vulkan.EnumerateDeviceExtensionProperties(physical, NULL, &count, extensions);
    bool found = false;
    for (uint32_t i = 0; i < count && !found; i++) found = strcmp(extensions[i].extensionName, name) == 0;
    free(extensions);
    return found;
}
