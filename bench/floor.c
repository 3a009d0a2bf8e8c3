// The floor of the benchmark: the least a supervisor with a cgroup for every incarnation can do, and nothing more.
//
//     floor CGROUP COUNT MEMORY-MAX|- PROGRAM [ARGUMENT...]
//
// Keeps COUNT processes of PROGRAM running, each in CGROUP/<slot>.<incarnation>, until a signal ends it.
// A death is pidfd readiness, waitid, rmdir, mkdir, clone3 (CLONE_INTO_CGROUP | CLONE_PIDFD | CLONE_VFORK), exec.
// With MEMORY-MAX it also writes memory.max, memory.swap.max and memory.oom.group of every new cgroup.
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct slot {
    int pidfd;
    unsigned incarnation;
    char cgroup[24];
};

static int parent_cgroup, epoll;
static const char *memory_max;
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
    uint32_t count = argument_count > 4 ? (uint32_t)strtoul(arguments[2], NULL, 10) : 0;
    if (count == 0) {
        fprintf(stderr, "usage: floor CGROUP COUNT MEMORY-MAX|- PROGRAM [ARGUMENT...]\n");
        return 64;
    }
    memory_max = strcmp(arguments[3], "-") ? arguments[3] : NULL;
    command = arguments + 4;
    parent_cgroup = open(arguments[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (parent_cgroup < 0)
        fail("open", arguments[1]);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct slot *slots = calloc(count, sizeof *slots);
    if (epoll < 0 || !slots)
        fail("prepare", arguments[1]);
    for (uint32_t index = 0; index < count; index++)
        start(&slots[index], index);
    for (;;) {
        struct epoll_event death;
        int ready = epoll_wait(epoll, &death, 1, -1);
        if (ready < 0 && errno != EINTR)
            fail("wait in", arguments[1]);
        if (ready == 1)
            replace(&slots[death.data.u32], death.data.u32);
    }
}
