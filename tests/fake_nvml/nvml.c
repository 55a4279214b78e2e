/* A stand-in for the driver's libnvidia-ml.so.1, for the real Python binding: it says what a scenario file says.

   Build: cc -shared -fPIC -o libnvidia-ml.so.1 nvml.c; found through LD_LIBRARY_PATH. The environment variable
   FAKE_NVML_SCENARIO names the file. It is read anew at every call, so replace it in one step (rename). A line is a
   word and what belongs to it:

     at SECONDS            what stood before is forgotten SECONDS after the first call; what follows holds from then on
     gpu UUID              a GPU; its place in the file is its index; the lines after it are about it
     mig UUID              a MIG instance of the GPU before it; the lines after it are about the instance
     name TEXT             to the end of the line; \xHH is the byte HH
     compute PERCENT       utilization.gpu
     memory USED TOTAL     bytes
     temperature CELSIUS
     power MILLIWATTS
     energy MILLIJOULES    at the first call; grows with the power
     error FIELD CODE      the answer to one question about this GPU is NVML's code; FIELD * means all questions
     lost                  the GPU has fallen off the bus: it still has its UUID and name, which the library keeps
     init CODE             NVML does not start
     down CODE             the answer to every question but "start" and "end"
     hang FIELD            the question is not answered as long as this stands in the file

   FIELD is one of the words in `fields`. A figure that no line gives is not supported. Questions that are not here
   (nvmlDeviceGetTemperatureV, say) are missing as they are in a library that is older than the binding. */

#define _POSIX_C_SOURCE 200809L
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7,
       GPU_IS_LOST = 15, NO_SCENARIO = 999 };
enum { MAX_DEVICES = 64, TEXT = 96, MIG_SLOTS = 7 };
enum field { INIT, COUNT, HANDLE, UUID, NAME, COMPUTE, MEMORY, TEMPERATURE, POWER, ENERGY, MIG, FIELDS };

static const char *const fields[FIELDS] = {"init", "count", "handle", "uuid", "name", "compute", "memory",
                                           "temperature", "power", "energy", "mig"};

typedef struct device {
    struct device *whole; /* of a MIG instance */
    char uuid[TEXT], name[TEXT];
    long long value[FIELDS], total;
    int error[FIELDS];
} device_t;
typedef struct { unsigned gpu, memory; } utilization_t;
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2_t;

static device_t devices[MAX_DEVICES];
static int device_count, init_error, down_error, hanging[FIELDS];
static int started;

static double seconds_since_first_call(void) {
    static struct timespec first;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!first.tv_sec) first = now;
    return (double)(now.tv_sec - first.tv_sec) + (double)(now.tv_nsec - first.tv_nsec) / 1e9;
}

static void forget(void) {
    device_count = init_error = down_error = 0;
    memset(hanging, 0, sizeof hanging);
}

static device_t *add_device(const char *uuid, device_t *whole) {
    device_t *device = &devices[device_count < MAX_DEVICES ? device_count++ : MAX_DEVICES - 1];
    memset(device, 0, sizeof *device);
    device->whole = whole;
    snprintf(device->uuid, TEXT, "%s", uuid);
    for (int field = 0; field < FIELDS; field++) device->value[field] = LLONG_MIN;
    return device;
}

static void read_name(char *name, const char *text) {
    size_t length = 0;
    while (*text && length < TEXT - 1) {
        unsigned byte;
        if (sscanf(text, "\\x%2x", &byte) == 1) {
            name[length++] = (char)byte;
            text += 4;
        } else {
            name[length++] = *text++;
        }
    }
    name[length] = 0;
}

/* Set `cells` of the field called `word`, or of all for "*", to `value`; whether there is such a field. */
static int set(int *cells, const char *word, int value) {
    int known = 0;
    for (int field = 0; field < FIELDS; field++)
        if (!strcmp(word, "*") || !strcmp(word, fields[field])) cells[field] = value, known = 1;
    return known;
}

static int read_device_line(device_t *device, const char *word, const char *rest) {
    char field[TEXT] = "";
    int code = 0;
    long long number = 0, total = 0;
    if (!strcmp(word, "name")) return read_name(device->name, rest), 1;
    if (!strcmp(word, "lost")) {
        for (int each = COMPUTE; each < FIELDS; each++) device->error[each] = GPU_IS_LOST;
        return 1;
    }
    if (!strcmp(word, "error")) return sscanf(rest, "%95s %d", field, &code) == 2 && set(device->error, field, code);
    for (int each = COMPUTE; each < MIG; each++) {
        if (strcmp(word, fields[each])) continue;
        if (sscanf(rest, "%lld %lld", &number, &total) < 1) return 0;
        device->value[each] = number;
        if (each == MEMORY) device->total = total;
        return 1;
    }
    return 0;
}

static int read_line(char *line, device_t **device, device_t **whole) {
    char *word = strtok(line, " \n"), *rest = word ? strtok(NULL, "\n") : NULL;
    if (!word) return 1;
    if (!rest) rest = "";
    if (!strcmp(word, "init")) return init_error = atoi(rest), 1;
    if (!strcmp(word, "down")) return down_error = atoi(rest), 1;
    if (!strcmp(word, "hang")) return set(hanging, rest, 1);
    if (!strcmp(word, "gpu")) return *device = *whole = add_device(rest, NULL), 1;
    if (!strcmp(word, "mig") && *whole) return *device = add_device(rest, *whole), 1;
    return *device && read_device_line(*device, word, rest);
}

/* Take over what the scenario says of this moment. A line that cannot be understood ends the process. */
static void read_scenario(void) {
    const char *path = getenv("FAKE_NVML_SCENARIO");
    FILE *file = path ? fopen(path, "r") : NULL;
    double now = seconds_since_first_call(), at;
    device_t *device = NULL, *whole = NULL;
    char line[512];
    forget();
    if (!file) {
        init_error = down_error = NO_SCENARIO;
        return;
    }
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "at %lf", &at) == 1) {
            if (at > now) break;
            forget();
            device = whole = NULL;
        } else if (!read_line(line, &device, &whole)) {
            fprintf(stderr, "%s: cannot be understood near \"%s\"\n", path, line);
            abort();
        }
    }
    fclose(file);
}

/* What NVML answers to the question; for SUCCESS the figures are in `device`. */
static int ask(const device_t *device, enum field field) {
    const struct timespec pause = {0, 20000000};
    for (read_scenario(); hanging[field]; read_scenario()) nanosleep(&pause, NULL);
    if (field == INIT) return init_error;
    if (!started) return UNINITIALIZED;
    if (down_error) return down_error;
    if (!device) return SUCCESS;
    if (device - devices >= device_count) return GPU_IS_LOST;
    if (device->error[field]) return device->error[field];
    return field >= COMPUTE && field < MIG && device->value[field] == LLONG_MIN ? NOT_SUPPORTED : SUCCESS;
}

static int give(const char *text, char *to, unsigned length) {
    if (strlen(text) >= length) return TOO_SMALL;
    strcpy(to, text);
    return SUCCESS;
}

/* The `index`-th GPU, or MIG instance of `whole`; NULL where there is none. */
static device_t *find(const device_t *whole, unsigned index) {
    for (int at = 0; at < device_count; at++)
        if (devices[at].whole == whole && index-- == 0) return &devices[at];
    return NULL;
}

int nvmlInitWithFlags(unsigned flags) {
    int code = ask(NULL, INIT);
    (void)flags;
    if (code == SUCCESS) started++;
    return code;
}

/* As bindings of other makes start it, and older ones. */
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlInit(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void) { return started ? (started--, SUCCESS) : UNINITIALIZED; }

const char *nvmlErrorString(int code) { return code == GPU_IS_LOST ? "GPU is lost" : "an error of the stand-in"; }

int nvmlDeviceGetCount_v2(unsigned *count) {
    int code = ask(NULL, COUNT);
    for (*count = 0; find(NULL, *count);) ++*count;
    return code;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device_t **device) {
    int code = ask(NULL, HANDLE);
    if (code != SUCCESS) return code;
    *device = find(NULL, index);
    return *device ? ask(*device, HANDLE) : INVALID_ARGUMENT;
}

int nvmlDeviceGetUUID(device_t *device, char *text, unsigned length) {
    int code = ask(device, UUID);
    return code ? code : give(device->uuid, text, length);
}

int nvmlDeviceGetName(device_t *device, char *text, unsigned length) {
    int code = ask(device, NAME);
    return code ? code : give(device->name, text, length);
}

int nvmlDeviceGetUtilizationRates(device_t *device, utilization_t *rates) {
    int code = ask(device, COMPUTE);
    rates->gpu = (unsigned)device->value[COMPUTE];
    rates->memory = 99; /* how busy the bus is, which is not how full the memory is */
    return code;
}

int nvmlDeviceGetMemoryInfo_v2(device_t *device, memory_v2_t *memory) {
    int code = ask(device, MEMORY);
    memory->used = (unsigned long long)device->value[MEMORY];
    memory->total = (unsigned long long)device->total;
    return code;
}

int nvmlDeviceGetMemoryInfo(device_t *device, memory_t *memory) {
    int code = ask(device, MEMORY);
    memory->used = (unsigned long long)device->value[MEMORY];
    memory->total = (unsigned long long)device->total;
    return code;
}

int nvmlDeviceGetTemperature(device_t *device, unsigned sensor, unsigned *celsius) {
    int code = ask(device, TEMPERATURE);
    (void)sensor;
    *celsius = (unsigned)device->value[TEMPERATURE];
    return code;
}

int nvmlDeviceGetPowerUsage(device_t *device, unsigned *milliwatts) {
    int code = ask(device, POWER);
    *milliwatts = (unsigned)device->value[POWER];
    return code;
}

int nvmlDeviceGetTotalEnergyConsumption(device_t *device, unsigned long long *millijoules) {
    int code = ask(device, ENERGY);
    double milliwatts = device->value[POWER] == LLONG_MIN ? 0 : (double)device->value[POWER];
    *millijoules = (unsigned long long)(device->value[ENERGY] + (long long)(milliwatts * seconds_since_first_call()));
    return code;
}

int nvmlDeviceGetMigMode(device_t *device, unsigned *current, unsigned *pending) {
    int code = ask(device, MIG);
    *current = *pending = find(device, 0) != NULL;
    return code;
}

int nvmlDeviceGetMaxMigDeviceCount(device_t *device, unsigned *count) {
    *count = MIG_SLOTS;
    return ask(device, MIG);
}

int nvmlDeviceGetMigDeviceHandleByIndex(device_t *device, unsigned index, device_t **instance) {
    int code = ask(device, MIG);
    *instance = find(device, index);
    return code ? code : *instance ? SUCCESS : NOT_FOUND;
}
