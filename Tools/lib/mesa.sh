# shellcheck shell=bash
# A Mesa newer than the system's, in a private folder and with a libc of its own: a software driver with cooperative
# matrices, and drivers of AMD and NVIDIA GPUs with libraries that pretend to be such a GPU. Tools/setup --matrix unpacks
# it. Needs common.sh.

mesa=$toolchain/mesa
mesa_pins=$root/Tools/lib/mesa.sha256

# True if it was unpacked by today's record.
mesa_ready() { [[ $mesa/ready -nt $mesa_pins ]]; }

mesa_libraries() { compgen -G "$mesa/usr/lib/*-linux-*" | head -n 1; }

# Runs a program on one of its drivers: with_mesa lvp|radeon|nouveau PROGRAM ARGUMENT...
# The last two pretend to be the GPU that the environment's AMDGPU_GPU_ID or NOUVEAU_CHIPSET names.
with_mesa() {
    local driver=$1 libraries preload=()
    shift
    libraries=$(mesa_libraries)
    # By its name alone: a path with a space would be two.
    case $driver in
        radeon) preload=(--preload libamdgpu_noop_drm_shim.so) ;;
        nouveau) preload=(--preload libnouveau_noop_drm_shim.so) ;;
    esac
    # The library that pretends to be NVIDIA's would set its last variable itself; that moves the environment from beside
    # the program's arguments, where Swift looks for them.
    env -u VK_DRIVER_FILES -u VK_ADD_DRIVER_FILES VK_ICD_FILENAMES="$mesa/usr/share/vulkan/icd.d/${driver}_icd.json" \
        MESA_SHADER_CACHE_DISABLE=1 NOUVEAU_DISABLE_FENCES=true \
        "$libraries"/ld-linux*.so.* --library-path "$libraries" "${preload[@]}" "$@"
}
