// C without policy: what Swift cannot say about Linux.
//
// Swift sees the kernel's headers below through `import CLinux`. A function here is one system call; it
// returns what the call returns, or -errno. None reads or writes `errno` for its caller.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/close_range.h>
#include <linux/magic.h>
#include <linux/openat2.h>

#include "CLinuxSpawn.h"

// Constants that Swift imports with an awkward type (enumerators), or not at all (casts, suffixes).

static const int32_t LINUX_EPOLL_CLOEXEC = 02000000;
static const uint32_t LINUX_EPOLLIN = 0x001u;
static const uint32_t LINUX_EPOLLPRI = 0x002u;
static const uint32_t LINUX_EPOLLOUT = 0x004u;
static const uint32_t LINUX_EPOLLERR = 0x008u;
static const uint32_t LINUX_EPOLLHUP = 0x010u;
static const uint32_t LINUX_EPOLLRDHUP = 0x2000u;
static const uint32_t LINUX_EPOLLONESHOT = 1u << 30;
static const uint32_t LINUX_EPOLLET = 1u << 31;
static const int32_t LINUX_TFD_NONBLOCK = 00004000;
static const int32_t LINUX_TFD_CLOEXEC = 02000000;
static const int32_t LINUX_TFD_TIMER_ABSTIME = 1;
static const int32_t LINUX_SFD_NONBLOCK = 00004000;
static const int32_t LINUX_SFD_CLOEXEC = 02000000;
static const int32_t LINUX_EFD_NONBLOCK = 00004000;
static const int32_t LINUX_EFD_CLOEXEC = 02000000;
static const int32_t LINUX_IN_NONBLOCK = 00004000;
static const int32_t LINUX_IN_CLOEXEC = 02000000;
static const int32_t LINUX_O_PATH = 010000000;
static const int32_t LINUX_SOCK_STREAM = 1;
static const int32_t LINUX_SOCK_DGRAM = 2;
static const int32_t LINUX_SOCK_SEQPACKET = 5;
static const int32_t LINUX_SOCK_NONBLOCK = 00004000;
static const int32_t LINUX_SOCK_CLOEXEC = 02000000;
static const int32_t LINUX_SCM_RIGHTS = 1;
static const int32_t LINUX_SCM_CREDENTIALS = 2;
static const int32_t LINUX_MSG_CTRUNC = 0x08;
static const int32_t LINUX_MSG_TRUNC = 0x20;
static const int32_t LINUX_MSG_DONTWAIT = 0x40;
static const int32_t LINUX_MSG_NOSIGNAL = 0x4000;
static const int32_t LINUX_MSG_CMSG_CLOEXEC = 0x40000000;
static const int64_t LINUX_CGROUP2_SUPER_MAGIC = 0x63677270;
static const uint64_t LINUX_RESOLVE_NO_XDEV = 0x01;
static const uint64_t LINUX_RESOLVE_NO_MAGICLINKS = 0x02;
static const uint64_t LINUX_RESOLVE_NO_SYMLINKS = 0x04;
static const uint64_t LINUX_RESOLVE_BENEATH = 0x08;

// The peer of a unix socket, as SO_PEERCRED and SCM_CREDENTIALS give it (`struct ucred`, unix(7)).
struct linux_credentials {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

static inline long linux_result(long result) { return result < 0 ? -errno : result; }

// openat2(2). -EXDEV where the path would leave `directory` under RESOLVE_BENEATH.
static inline int linux_openat2(int directory, const char *path, uint64_t flags, uint64_t mode,
                                uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    return (int)linux_result(syscall(SYS_openat2, directory, path, &how, sizeof how));
}

// pidfd_open(2). The descriptor is close-on-exec.
static inline int linux_pidfd_open(pid_t process, unsigned flags) {
    return (int)linux_result(syscall(SYS_pidfd_open, process, flags));
}

// pidfd_send_signal(2).
static inline int linux_pidfd_send_signal(int pidfd, int signal) {
    return (int)linux_result(syscall(SYS_pidfd_send_signal, pidfd, signal, (void *)0, 0));
}

// waitid(2) on one child by its pidfd. Returns 1 and fills `code` (CLD_EXITED, CLD_KILLED, CLD_DUMPED, ...)
// and `status` if it changed state, 0 if it did not and `options` has WNOHANG. `usage` may be null. `__WALL`
// is added: a child that failed before exec has no exit signal.
static inline int linux_waitid_pidfd(int pidfd, int options, int *code, int *status, struct rusage *usage) {
    siginfo_t info;
    info.si_pid = 0;
    long result =
        linux_result(syscall(SYS_waitid, 3 /* P_PIDFD */, pidfd, &info, options | 0x40000000, usage));
    if (result < 0) return (int)result;
    if (info.si_pid == 0) return 0;
    *code = info.si_code;
    *status = info.si_status;
    return 1;
}

// A child that has ended and waits to be reaped: its process number, 0 if there is none. It stays (WNOWAIT).
static inline pid_t linux_ended_child(void) {
    siginfo_t info;
    info.si_pid = 0;
    long result = linux_result(
        syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT, (void *)0));
    return result < 0 ? (pid_t)result : info.si_pid;
}

// Reaps one child that has ended. Returns its process number, 0 if it has not ended.
static inline pid_t linux_reap(pid_t process) {
    siginfo_t info;
    info.si_pid = 0;
    long result =
        linux_result(syscall(SYS_waitid, P_PID, process, &info, WEXITED | WNOHANG, (void *)0));
    return result < 0 ? (pid_t)result : info.si_pid;
}

// Whether orphans of our descendants become our children: PID 1 of its namespace, or PR_SET_CHILD_SUBREAPER.
static inline bool linux_adopts_orphans(void) {
    int subreaper = 0;
    return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &subreaper) == 0 && subreaper != 0);
}

// Has this process sent a signal when the thread that made it ends (PR_SET_PDEATHSIG). 0 or -errno.
static inline int linux_signal_at_end_of_parent(int signal) {
    return (int)linux_result(prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0, 0, 0));
}

// close_range(2).
static inline int linux_close_range(unsigned first, unsigned last, unsigned flags) {
    return (int)linux_result(syscall(SYS_close_range, first, last, flags));
}

// pipe2(2).
static inline int linux_pipe2(int descriptors[2], int flags) {
    return (int)linux_result(syscall(SYS_pipe2, descriptors, flags));
}

// splice(2) from a pipe of ours, without waiting whatever the target's flags are.
static inline long linux_splice(int source, int target, size_t length) {
    return linux_result(syscall(SYS_splice, source, (void *)0, target, (void *)0, length, 2 /* NONBLOCK */));
}

// memfd_create(2), close-on-exec, sealable.
static inline int linux_memfd_create(const char *name) {
    return (int)linux_result(syscall(SYS_memfd_create, name, 3u /* CLOEXEC | ALLOW_SEALING */));
}

// Seals a memory file against every change (F_ADD_SEALS of fcntl(2): seal, shrink, grow, write).
static inline int linux_seal(int descriptor) {
    return (int)linux_result(fcntl(descriptor, 1033, 0x1 | 0x2 | 0x4 | 0x8));
}

// getxattr(2).
static inline long linux_getxattr(const char *path, const char *name, void *value, size_t size) {
    return linux_result(syscall(SYS_getxattr, path, name, value, size));
}

// fgetxattr(2) and fsetxattr(2).
static inline long linux_fgetxattr(int descriptor, const char *name, void *value, size_t size) {
    return linux_result(syscall(SYS_fgetxattr, descriptor, name, value, size));
}
static inline int linux_fsetxattr(int descriptor, const char *name, const void *value, size_t size) {
    return (int)linux_result(syscall(SYS_fsetxattr, descriptor, name, value, size, 0));
}

// dup3(2).
static inline int linux_dup3(int source, int target, int flags) {
    return (int)linux_result(syscall(SYS_dup3, source, target, flags));
}

// accept4(2) without the peer's address.
static inline int linux_accept4(int listener, int flags) {
    return (int)linux_result(syscall(SYS_accept4, listener, (void *)0, (void *)0, flags));
}

// getdents64(2). Records are `struct dirent64`: 8 bytes inode, 8 offset, 2 length, 1 type, name.
static inline long linux_getdents64(int directory, void *buffer, size_t size) {
    return linux_result(syscall(SYS_getdents64, directory, buffer, size));
}

// gettid(2).
static inline pid_t linux_gettid(void) { return (pid_t)syscall(SYS_gettid); }

// The control-message macros of cmsg(3).
static inline struct cmsghdr *linux_cmsg_first(struct msghdr *message) { return CMSG_FIRSTHDR(message); }
static inline struct cmsghdr *linux_cmsg_next(struct msghdr *message, struct cmsghdr *header) {
    return CMSG_NXTHDR(message, header);
}
static inline unsigned char *linux_cmsg_data(struct cmsghdr *header) { return CMSG_DATA(header); }
static inline size_t linux_cmsg_space(size_t length) { return CMSG_SPACE(length); }
static inline size_t linux_cmsg_length(size_t length) { return CMSG_LEN(length); }

// sendmsg(2) of some bytes, which may be none, and a descriptor (SCM_RIGHTS) to a datagram socket's peer.
static inline int linux_send_descriptor(int socket, const void *bytes, size_t count, int descriptor, int flags) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = count > 0,
                             .msg_control = control.space,
                             .msg_controllen = sizeof control.space};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    __builtin_memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    return sendmsg(socket, &message, flags) < 0 ? -errno : 0;
}

// The name ("EBUSY") and the text ("Device or resource busy") of an errno; null for one that glibc does not
// know. Static, never translated.
const char *linux_errno_name(int error);
const char *linux_errno_text(int error);

// The name of a signal without its SIG ("TERM"); null for one that glibc does not know. Static.
const char *linux_signal_name(int signal);

// The number of CPUs that the calling thread may run on (sched_getaffinity(2)).
int linux_cpu_count(void);

// What came with a datagram beside its bytes.
struct linux_notification_extras {
    bool is_truncated;          // it was longer than the buffer
    bool lost_descriptors;      // more control data came than there was room for
    unsigned descriptor_count;  // descriptors that came; all are closed again
};

// Takes a datagram off a socket with SO_PASSCRED, without waiting. `sender` is the sender's process ID in our PID
// namespace, or 0 where it has none. Returns the datagram's size as far as it fits, or -errno (-EAGAIN: none is there).
ssize_t linux_receive_notification(int socket, void *buffer, size_t size, pid_t *sender,
                                   struct linux_notification_extras *extras);

// Sets a PSI trigger: opens `name` beneath `directory` and writes `text`. `unprivileged`: try it without CAP_SYS_RESOURCE
// first. Returns a descriptor, or -errno.
int linux_open_pressure(int directory, const char *name, const char *text, bool unprivileged);

struct linux_aside_result {
    uint64_t token;
    int32_t error;  // errno, or 0
};

// Writes `text` to `name` beneath `directory` from a thread that lives only for that: some writes to a cgroup take as long
// as the kernel needs to take memory back. When it is done, a `linux_aside_result` comes out of `report`.
// Returns 0 or -errno.
int linux_write_aside(int directory, const char *name, const char *text, int report, uint64_t token);
