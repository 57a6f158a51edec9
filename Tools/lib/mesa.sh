# shellcheck shell=bash
# A Mesa newer than the system's, in a private folder with its own libc: a software driver with cooperative matrices, and
# drivers of AMD and NVIDIA GPUs with shims that emulate the GPU's kernel interface. Unpacked by Tools/setup --matrix. Needs
# common.sh.

mesa=$toolchain/mesa
mesa_pins=$root/Tools/lib/mesa.sha256

# True if it was unpacked with the current hashes.
mesa_ready() { [[ $mesa/ready -nt $mesa_pins ]]; }

mesa_libraries() { compgen -G "$mesa/usr/lib/*-linux-*" | head -n 1; }

# Runs a program on one of its drivers: with_mesa lvp|radeon|nouveau PROGRAM ARGUMENT...
# The last two emulate the GPU that AMDGPU_GPU_ID or NOUVEAU_CHIPSET in the environment names.
with_mesa() {
    local driver=$1 libraries preload=()
    shift
    libraries=$(mesa_libraries)
    # Preloads by file name: --preload would split a path at spaces.
    case $driver in
        radeon) preload=(--preload libamdgpu_noop_drm_shim.so) ;;
        nouveau) preload=(--preload libnouveau_noop_drm_shim.so) ;;
    esac
    # Sets NOUVEAU_DISABLE_FENCES here, because NVIDIA's shim would set it with setenv. That moves the environment away from
    # the program's arguments, which Swift finds by their position before it.
    env -u VK_DRIVER_FILES -u VK_ADD_DRIVER_FILES VK_ICD_FILENAMES="$mesa/usr/share/vulkan/icd.d/${driver}_icd.json" \
        MESA_SHADER_CACHE_DISABLE=1 NOUVEAU_DISABLE_FENCES=true \
        "$libraries"/ld-linux*.so.* --library-path "$libraries" "${preload[@]}" "$@"
}
