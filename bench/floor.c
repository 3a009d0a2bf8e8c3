// The floor of the benchmark: the least a supervisor with a cgroup for every incarnation can do, and nothing more.
//
//     floor CGROUP COUNT MEMORY-MAX|- MEMORY-HIGH|- PROGRAM [ARGUMENT...]
//
// Keeps COUNT processes of PROGRAM running, each in CGROUP/<slot>.<incarnation>, until a signal ends it.
// A death is pidfd readiness, waitid, rmdir, mkdir, clone3 (CLONE_INTO_CGROUP | CLONE_PIDFD | CLONE_VFORK), exec.
// With MEMORY-MAX it also writes memory.max, memory.swap.max and memory.oom.group of every new cgroup.
// With MEMORY-HIGH it writes memory.high too and watches memory.events by inotify: the first `high` gets SIGTERM.
// No back-off, no log, no grace, no clean-up: it is a measure, not a program to use.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { watches = UINT32_MAX };

struct slot {
    int pidfd, watch;
    unsigned incarnation;
    char cgroup[24];
};

static const char *parent_path;
static int parent_cgroup, epoll, inotify = -1;
static const char *memory_max, *memory_high;
static struct slot *slots;
static uint32_t count;
static char **command;

static void fail(const char *operation, const char *what)
{
    fprintf(stderr, "floor: %s %s: %s\n", operation, what, strerror(errno));
    exit(1);
}

static void write_file(int cgroup, const char *name, const char *value)
{
    int file = openat(cgroup, name, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, value, strlen(value)) < 0)
        fail("write", name);
    close(file);
}

static void watch(struct slot *slot)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/memory.events", parent_path, slot->cgroup);
    slot->watch = inotify_add_watch(inotify, path, IN_MODIFY);
    if (slot->watch < 0)
        fail("watch", path);
}

// One event is read at a time: what epoll says is that there is one more.
static void stop_the_high(void)
{
    struct inotify_event event;
    if (read(inotify, &event, sizeof event) != sizeof event)
        fail("read", "inotify");
    for (struct slot *slot = slots; slot < slots + count; slot++) {
        if (slot->watch != event.wd || (event.mask & IN_IGNORED))
            continue;
        char path[64], text[256];
        snprintf(path, sizeof path, "%s/memory.events", slot->cgroup);
        int file = openat(parent_cgroup, path, O_RDONLY | O_CLOEXEC);
        ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
        if (length < 0)
            fail("read", path);
        close(file);
        text[length] = 0;
        const char *high = strstr(text, "high ");
        if (high && atoll(high + 5) > 0) {
            inotify_rm_watch(inotify, slot->watch);
            slot->watch = -1;
            if (syscall(SYS_pidfd_send_signal, slot->pidfd, SIGTERM, NULL, 0))
                fail("signal", slot->cgroup);
        }
    }
}

static void start(struct slot *slot, uint32_t index)
{
    snprintf(slot->cgroup, sizeof slot->cgroup, "%u.%u", index + 1, ++slot->incarnation);
    if (mkdirat(parent_cgroup, slot->cgroup, 0755))
        fail("mkdir", slot->cgroup);
    int cgroup = openat(parent_cgroup, slot->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (cgroup < 0)
        fail("open", slot->cgroup);
    if (memory_max) {
        write_file(cgroup, "memory.max", memory_max);
        write_file(cgroup, "memory.swap.max", "0");
        write_file(cgroup, "memory.oom.group", "1");
    }
    if (memory_high) {
        write_file(cgroup, "memory.high", memory_high);
        watch(slot);
    }
    struct clone_args arguments = {
        .flags = CLONE_INTO_CGROUP | CLONE_PIDFD | CLONE_VFORK,
        .pidfd = (uintptr_t)&slot->pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = (uint32_t)cgroup,
    };
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0)
        fail("clone3 into", slot->cgroup);
    if (pid == 0) {
        execv(command[0], command);
        _exit(127);
    }
    close(cgroup);
    struct epoll_event interest = {.events = EPOLLIN, .data.u32 = index};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, slot->pidfd, &interest))
        fail("watch", slot->cgroup);
}

static void replace(struct slot *slot, uint32_t index)
{
    siginfo_t status;
    if (waitid(P_PIDFD, (id_t)slot->pidfd, &status, WEXITED))
        fail("waitid", slot->cgroup);
    close(slot->pidfd);
    // EBUSY: the kernel has told of the death a moment before the process is out of its cgroup.
    while (unlinkat(parent_cgroup, slot->cgroup, AT_REMOVEDIR))
        if (errno != EBUSY || sched_yield())
            fail("rmdir", slot->cgroup);
    start(slot, index);
}

int main(int argument_count, char **arguments)
{
    count = argument_count > 5 ? (uint32_t)strtoul(arguments[2], NULL, 10) : 0;
    if (count == 0) {
        fprintf(stderr, "usage: floor CGROUP COUNT MEMORY-MAX|- MEMORY-HIGH|- PROGRAM [ARGUMENT...]\n");
        return 64;
    }
    parent_path = arguments[1];
    memory_max = strcmp(arguments[3], "-") ? arguments[3] : NULL;
    memory_high = strcmp(arguments[4], "-") ? arguments[4] : NULL;
    command = arguments + 5;
    parent_cgroup = open(parent_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (parent_cgroup < 0)
        fail("open", parent_path);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    slots = calloc(count, sizeof *slots);
    if (epoll < 0 || !slots)
        fail("prepare", parent_path);
    if (memory_high) {
        inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        struct epoll_event interest = {.events = EPOLLIN, .data.u32 = watches};
        if (inotify < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, inotify, &interest))
            fail("watch", "inotify");
    }
    for (uint32_t index = 0; index < count; index++)
        start(&slots[index], index);
    for (;;) {
        struct epoll_event event;
        int ready = epoll_wait(epoll, &event, 1, -1);
        if (ready < 0 && errno != EINTR)
            fail("wait in", parent_path);
        if (ready == 1 && event.data.u32 == watches)
            stop_the_high();
        else if (ready == 1)
            replace(&slots[event.data.u32], event.data.u32);
    }
}
