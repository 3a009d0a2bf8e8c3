#define _GNU_SOURCE
#include <sched.h>
#include <string.h>

#include "CLinux.h"

const char *linux_errno_name(int error) { return strerrorname_np(error); }
const char *linux_errno_text(int error) { return strerrordesc_np(error); }
const char *linux_signal_name(int signal) { return sigabbrev_np(signal); }

int linux_cpu_count(void) {
    // Larger than any kernel's mask, so that sched_getaffinity cannot fail for its size.
    static const size_t cpus = 8192;
    cpu_set_t *set = CPU_ALLOC(cpus);
    if (set == NULL) return -ENOMEM;
    int count = sched_getaffinity(0, CPU_ALLOC_SIZE(cpus), set) < 0 ? -errno
                                                                   : CPU_COUNT_S(CPU_ALLOC_SIZE(cpus), set);
    CPU_FREE(set);
    return count;
}
