/* A stand-in for the driver's libnvidia-ml.so.1, for tests of the real Python binding: two GPUs, the second of which
   has fallen off the bus. Build: cc -shared -fPIC -o libnvidia-ml.so.1 nvml.c; found through LD_LIBRARY_PATH. */

#include <string.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, GPU_IS_LOST = 15 };

typedef struct { int index; } device_t;
typedef struct { unsigned gpu, memory; } utilization_t;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2_t;

static device_t devices[2] = {{0}, {1}};
static int started;

static int state_of(device_t *device) {
    if (!started) return UNINITIALIZED;
    return device->index == 1 ? GPU_IS_LOST : SUCCESS;
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; started++; return SUCCESS; }

int nvmlShutdown(void) {
    if (!started) return UNINITIALIZED;
    started--;
    return SUCCESS;
}

const char *nvmlErrorString(int code) { (void)code; return "an error of the stand-in"; }

int nvmlDeviceGetCount_v2(unsigned *count) {
    if (!started) return UNINITIALIZED;
    *count = 2;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device_t **device) {
    if (!started) return UNINITIALIZED;
    if (index > 1) return INVALID_ARGUMENT;
    *device = &devices[index];
    return SUCCESS;
}

/* The UUID and the name are kept by the library, so a lost GPU still has them. The name is not UTF-8 on purpose. */
int nvmlDeviceGetUUID(device_t *device, char *text, unsigned length) {
    strncpy(text, device->index ? "GPU-11111111-aaaa-bbbb-cccc-dddddddddddd" : "GPU-00000000-aaaa-bbbb-cccc-dddddddddddd",
            length);
    return SUCCESS;
}

int nvmlDeviceGetName(device_t *device, char *text, unsigned length) {
    (void)device;
    strncpy(text, "Stand-in \xff\x1b[31m", length);
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(device_t *device, utilization_t *rates) {
    rates->gpu = 73;
    rates->memory = 5;
    return state_of(device);
}

int nvmlDeviceGetMemoryInfo_v2(device_t *device, memory_v2_t *memory) {
    memory->total = 40ULL << 30;
    memory->used = 10ULL << 30;
    return state_of(device);
}

int nvmlDeviceGetTemperature(device_t *device, unsigned sensor, unsigned *celsius) {
    (void)sensor;
    *celsius = 55;
    return state_of(device);
}

/* nvmlDeviceGetPowerUsage is left out, as in a library that is older than the binding. */

int nvmlDeviceGetMigMode(device_t *device, unsigned *current, unsigned *pending) {
    (void)device; (void)current; (void)pending;
    return NOT_SUPPORTED;
}
