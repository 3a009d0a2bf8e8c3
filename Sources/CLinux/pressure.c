#define _GNU_SOURCE
#include <linux/capability.h>
#include <string.h>

#include "CLinux.h"

// This thread's effective capabilities without `capability`; what they were is in `before`.
static bool give_up(unsigned capability, struct __user_cap_data_struct before[2]) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    if (syscall(SYS_capget, &header, before) < 0) return false;
    if ((before[0].effective & (1u << capability)) == 0) return false;
    struct __user_cap_data_struct fewer[2] = {before[0], before[1]};
    fewer[0].effective &= ~(1u << capability);
    return syscall(SYS_capset, &header, fewer) == 0;
}

static int open_and_write(int directory, const char *name, const char *text) {
    int file = openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) return -errno;
    if (write(file, text, strlen(text) + 1) >= 0) return file;
    int error = errno;
    close(file);
    return -error;
}

int linux_open_pressure(int directory, const char *name, const char *text, bool unprivileged) {
    struct __user_cap_data_struct before[2];
    if (unprivileged && give_up(CAP_SYS_RESOURCE, before)) {
        int file = open_and_write(directory, name, text);
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        // To have back what is still permitted cannot be refused.
        (void)syscall(SYS_capset, &header, before);
        // Before Linux 6.5 the capability is needed for any window.
        if (file >= 0 || (file != -EINVAL && file != -EPERM)) return file;
    }
    return open_and_write(directory, name, text);
}
