// The child's side of clone3, and the caller's around it. See CLinuxSpawn.h for what it promises.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "CLinux.h"
#include "raw.h"

enum {
    stack_size = 64 * 1024,
    guard_size = 64 * 1024,  // a page, whatever its size: arm64 has 4, 16 or 64 KiB
    signal_set_size = 8,     // of the kernel: 64 signals
    last_signal = 64,
    most_descriptors = 1024,  // handed on at once: their numbers are kept on the child's stack
};

// Shared with the child, or copied into it.
struct child {
    const struct linux_spawn_request *request;
    int status_pipe;  // write end, or -1: report through `error` and `stage`, in the memory we share
    volatile int error;
    volatile enum linux_spawn_stage stage;
};

#pragma mark - The child: raw system calls only, nothing of the C library

#if defined(__clang__)
#define IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined", "memory")))
#else
#define IN_CHILD
#endif

static IN_CHILD __attribute__((noreturn)) void fail(struct child *child, long error,
                                                   enum linux_spawn_stage stage) {
    if (child->status_pipe >= 0) {
        struct linux_spawn_report report = {(int32_t)-error, (int32_t)stage};
        // Eight bytes into an empty pipe: written whole. There is nobody else to tell of a failure.
        (void)raw4(SYS_write, child->status_pipe, (long)&report, sizeof report, 0);
    } else {
        child->error = (int)-error;
        child->stage = stage;
    }
    for (;;) (void)raw4(SYS_exit_group, 127, 0, 0, 0);
}

// Decimal digits of `value` at `text`, which has room for 12 bytes. Returns the length.
static IN_CHILD unsigned write_decimal(char *text, long value) {
    char digits[12];
    unsigned count = 0, length = 0;
    unsigned long rest = value < 0 ? -(unsigned long)value : (unsigned long)value;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0 && count < sizeof digits);
    if (value < 0) text[length++] = '-';
    while (count > 0) text[length++] = digits[--count];
    text[length] = '\0';
    return length;
}

static IN_CHILD bool is_target(const struct linux_spawn_request *request, int descriptor) {
    for (unsigned i = 0; i < request->descriptor_count; i++)
        if (request->targets[i] == descriptor) return true;
    return false;
}

// The lowest target above `descriptor`, or -1.
static IN_CHILD int next_target(const struct linux_spawn_request *request, int descriptor) {
    int next = -1;
    for (unsigned i = 0; i < request->descriptor_count; i++) {
        int target = request->targets[i];
        if (target > descriptor && (next < 0 || target < next)) next = target;
    }
    return next;
}

// A descriptor table of our own with 0, 1, 2 and the targets, nothing else. While memory is shared the table
// is the parent's too, so the first call is the one that unshares it; it copies only what lies below its
// first argument, so a parent with thousands of descriptors costs us nothing. Afterwards nothing we do shows.
static IN_CHILD void arrange_descriptors(struct child *child) {
    const struct linux_spawn_request *request = child->request;
    int highest = 2, highest_target = 2;
    for (unsigned i = 0; i < request->descriptor_count; i++) {
        if (request->sources[i] > highest) highest = request->sources[i];
        if (request->targets[i] > highest_target) highest_target = request->targets[i];
    }
    long result;
    if (request->mode == LINUX_SPAWN_SHARES_MEMORY) {
        result = raw4(SYS_close_range, highest + 1, UINT_MAX, CLOSE_RANGE_UNSHARE, 0);
        if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_UNSHARE);
    }
    if (child->status_pipe >= 0 && is_target(request, child->status_pipe)) {
        result = raw4(SYS_fcntl, child->status_pipe, F_DUPFD_CLOEXEC, highest_target + 1, 0);
        if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_DESCRIPTORS);
        child->status_pipe = (int)result;
    }

    // A source that sits where another descriptor must go is first brought above all targets.
    unsigned count = request->descriptor_count;
    int moved[count + 1];
    for (unsigned i = 0; i < count; i++) {
        int source = request->sources[i];
        moved[i] = source;
        if (source != request->targets[i] && is_target(request, source)) {
            result = raw4(SYS_fcntl, source, F_DUPFD_CLOEXEC, highest_target + 1, 0);
            if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_DESCRIPTORS);
            moved[i] = (int)result;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        if (moved[i] == request->targets[i])
            result = raw4(SYS_fcntl, moved[i], F_SETFD, 0, 0);
        else
            result = raw4(SYS_dup3, moved[i], request->targets[i], 0, 0);
        if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_DESCRIPTORS);
    }

    // Close what lies between the targets: at once, or at exec if there is a status pipe among it.
    unsigned flags = child->status_pipe >= 0 ? CLOSE_RANGE_CLOEXEC : 0;
    int last = 2;
    for (int target = next_target(request, last); target >= 0; target = next_target(request, last)) {
        if (target > last + 1) {
            result = raw4(SYS_close_range, last + 1, target - 1, flags, 0);
            if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_DESCRIPTORS);
        }
        last = target;
    }
    // Without targets the unsharing call has closed everything from 3 on already.
    if (count > 0 || request->mode != LINUX_SPAWN_SHARES_MEMORY) {
        result = raw4(SYS_close_range, last + 1, UINT_MAX, flags, 0);
        if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_DESCRIPTORS);
    }
}

static IN_CHILD void reset_signals(struct child *child) {
    // `struct sigaction` of the kernel: handler, flags, restorer, mask. All zero is SIG_DFL.
    static const unsigned long by_default[4];
    uint64_t wanted = child->request->reset_signals;
    for (int signal = 1; signal <= last_signal && wanted != 0; signal++, wanted >>= 1) {
        if ((wanted & 1) == 0 || signal == SIGKILL || signal == SIGSTOP) continue;
        long result = raw4(SYS_rt_sigaction, signal, (long)by_default, 0, signal_set_size);
        if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_SIGNALS);
    }
}

static IN_CHILD void set_oom_score(struct child *child) {
    char text[12];
    unsigned length = write_decimal(text, child->request->oom_score_adjustment);
    // Exec closes it.
    long file = raw4(SYS_openat, AT_FDCWD, (long)"/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
    if (file < 0) fail(child, file, LINUX_SPAWN_STAGE_OOM_SCORE);
    long result = raw4(SYS_write, file, (long)text, length, 0);
    if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_OOM_SCORE);
}

// In this order: each step takes a privilege that the next one gives away.
static IN_CHILD void become_user(struct child *child) {
    const struct linux_spawn_request *request = child->request;
    // Whoever possesses a keyring may use the keys in it, whosever they are. Before the user is another, for a user's
    // quota of keyrings is small. A kernel without keys, or a filter that forbids them, forbids them to the program too.
    long result = raw5(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0);
    if (result < 0 && result != -ENOSYS && result != -EPERM && result != -EACCES)
        fail(child, result, LINUX_SPAWN_STAGE_KEYRING);
    result = raw4(SYS_setgroups, request->group_count, (long)request->groups, 0, 0);
    if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_GROUPS);
    result = raw4(SYS_setresgid, request->group, request->group, request->group, 0);
    if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_GROUPS);
    result = raw4(SYS_setresuid, request->user, request->user, request->user, 0);
    if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_USER);
    if (request->user == 0) return;
    // setresuid takes those of root away; inheritable ones stay, and all of a supervisor that was not root. What is not
    // permitted is not ambient either.
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};
    result = raw4(SYS_capset, (long)&header, (long)none, 0, 0);
    if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_USER);
}

static IN_CHILD __attribute__((noreturn)) void run_child(void *argument) {
    struct child *child = argument;
    const struct linux_spawn_request *request = child->request;
    long result;

    arrange_descriptors(child);
    reset_signals(child);
    if (request->new_session) {
        result = raw4(SYS_setsid, 0, 0, 0, 0);
        if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_SESSION);
    }
    if (request->sets_oom_score) set_oom_score(child);
    // Whoever is no longer root can raise none of them.
    for (unsigned i = 0; i < request->limit_count; i++) {
        uint64_t limit[2] = {request->limits[i].soft, request->limits[i].hard};
        result = raw4(SYS_prlimit64, 0, request->limits[i].resource, (long)limit, 0);
        if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_LIMITS);
    }
    if (request->sets_user) become_user(child);
    // CLONE_FS is not among our flags: directory and mask are the child's own.
    if (request->sets_umask) (void)raw4(SYS_umask, (long)request->umask, 0, 0, 0);
    if (request->working_directory != NULL) {
        result = raw4(SYS_chdir, (long)request->working_directory, 0, 0, 0);
        if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_DIRECTORY);
    }
    if (request->no_new_privileges) {
        result = raw5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_PRIVILEGES);
    }
    if (request->pid_text_count > 0) {
        long self = raw4(SYS_getpid, 0, 0, 0, 0);
        for (unsigned i = 0; i < request->pid_text_count; i++) write_decimal(request->pid_texts[i], self);
    }
    // Last, so that a signal sent meanwhile finds default dispositions only.
    static const uint64_t empty;
    result = raw4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&empty, 0, signal_set_size);
    if (result < 0) fail(child, result, LINUX_SPAWN_STAGE_SIGNALS);

    result = raw4(SYS_execve, (long)request->path, (long)request->arguments, (long)request->environment, 0);
    fail(child, result, LINUX_SPAWN_STAGE_EXEC);
}

#pragma mark - The caller

// One stack is kept between spawns. Whoever finds it taken by another thread maps one more.
static _Atomic(char *) spare_stack;

static char *take_stack(void) {
    char *stack = atomic_exchange(&spare_stack, NULL);
    if (stack != NULL) return stack;
    stack = mmap(NULL, guard_size + stack_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return NULL;
    if (mprotect(stack + guard_size, stack_size, PROT_READ | PROT_WRITE) < 0) {
        int error = errno;
        munmap(stack, guard_size + stack_size);
        errno = error;
        return NULL;
    }
    return stack;
}

static void give_stack_back(char *stack) {
    char *expected = NULL;
    if (!atomic_compare_exchange_strong(&spare_stack, &expected, stack))
        munmap(stack, guard_size + stack_size);
}

static long clone_sharing_memory(struct clone_args *arguments, struct child *child) {
    char *stack = take_stack();
    if (stack == NULL) {
        child->stage = LINUX_SPAWN_STAGE_PREPARE;
        return -errno;
    }
    arguments->flags |= CLONE_VM | CLONE_VFORK | CLONE_FILES;
    arguments->stack = (uint64_t)(uintptr_t)(stack + guard_size);
    arguments->stack_size = stack_size;
    long pid = raw_clone3_calling(arguments, sizeof *arguments, run_child, child);
    // CLONE_VFORK: the child has exec'd or is gone; nobody stands on the stack.
    give_stack_back(stack);
    return pid;
}

static long clone_copying_memory(struct clone_args *arguments, struct child *child) {
    long pid = raw4(SYS_clone3, (long)arguments, sizeof *arguments, 0, 0);
    if (pid == 0) run_child(child);
    return pid;
}

int linux_spawn(const struct linux_spawn_request *request, struct linux_spawn_result *result) {
    struct child child = {.request = request, .status_pipe = -1};
    int status_pipe[2] = {-1, -1};
    *result = (struct linux_spawn_result){.pid = -1, .pidfd = -1, .status_pipe = -1};

    bool shows_itself = request->sets_user && request->mode == LINUX_SPAWN_SHARES_MEMORY;
    if (request->descriptor_count > most_descriptors || request->cgroup < 0 || shows_itself) {
        result->error = request->cgroup < 0 ? EBADF : shows_itself ? EINVAL : E2BIG;
        result->stage = LINUX_SPAWN_STAGE_PREPARE;
        return -result->error;
    }
    if (request->mode == LINUX_SPAWN_COPIES_MEMORY) {
        if (pipe2(status_pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
            result->error = errno;
            result->stage = LINUX_SPAWN_STAGE_PREPARE;
            return -result->error;
        }
        child.status_pipe = status_pipe[1];
    }

    // No exit signal: a child that fails before exec raises no SIGCHLD and is nobody's wait(2)'s prey. Exec
    // makes it SIGCHLD.
    int pidfd = -1;
    struct clone_args arguments = {
        .flags = CLONE_INTO_CGROUP | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = 0,
        .cgroup = (uint64_t)request->cgroup,
    };

    // No signal need be held back for the child's sake: it has no handler of ours left (CLONE_CLEAR_SIGHAND) that could run
    // in our memory, and one that ends it before exec ends it as one does just after.
    long pid = request->mode == LINUX_SPAWN_SHARES_MEMORY ? clone_sharing_memory(&arguments, &child)
                                                         : clone_copying_memory(&arguments, &child);
    if (pid > 0 && child.error != 0) {
        // The child ends at once: it has left our memory, so it is in exit(2) already.
        siginfo_t ignored;
        long waited;
        do waited = raw5(SYS_waitid, P_PIDFD, pidfd, (long)&ignored, WEXITED | __WALL, 0);
        while (waited == -EINTR);
    }

    if (status_pipe[1] >= 0) close(status_pipe[1]);
    if (pid < 0) {
        result->error = (int)-pid;
        result->stage = child.stage != LINUX_SPAWN_STAGE_NONE ? child.stage : LINUX_SPAWN_STAGE_CLONE;
    } else if (child.error != 0) {
        result->error = child.error;
        result->stage = child.stage;
    } else {
        result->pid = (pid_t)pid;
        result->pidfd = pidfd;
        result->status_pipe = status_pipe[0];
        return 0;
    }
    if (pidfd >= 0) close(pidfd);
    if (status_pipe[0] >= 0) close(status_pipe[0]);
    return -result->error;
}

uint64_t linux_ignored_signals(void) {
    uint64_t ignored = 0;
    for (int signal = 1; signal <= last_signal; signal++) {
        // Raw: the C library hides the signals it uses itself. A number that is no signal is not ignored.
        unsigned long action[4];
        if (raw4(SYS_rt_sigaction, signal, 0, (long)action, signal_set_size) == 0 &&
            action[0] == (unsigned long)SIG_IGN)
            ignored |= UINT64_C(1) << (signal - 1);
    }
    return ignored;
}
