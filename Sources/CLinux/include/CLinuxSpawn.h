// Start a process inside a cgroup: clone3(2) with CLONE_INTO_CGROUP, and the child's side of it.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// How the child is made.
enum linux_spawn_mode {
    // CLONE_VM | CLONE_VFORK: fastest; the caller stops until the child has exec'd or failed. Not for a
    // cgroup that is frozen or has used up its `cpu.max`: the caller would stop for as long.
    LINUX_SPAWN_SHARES_MEMORY = 0,
    // A plain clone: the caller goes on at once, and learns from a pipe whether exec succeeded.
    LINUX_SPAWN_COPIES_MEMORY = 1,
};

// The step at which a spawn failed.
enum linux_spawn_stage {
    LINUX_SPAWN_STAGE_NONE = 0,
    LINUX_SPAWN_STAGE_PREPARE = 1,       // in the caller: stack, pipe
    LINUX_SPAWN_STAGE_CLONE = 2,         // clone3 itself
    LINUX_SPAWN_STAGE_UNSHARE = 3,       // a descriptor table of its own
    LINUX_SPAWN_STAGE_DESCRIPTORS = 4,   // bringing descriptors to their numbers, closing the rest
    LINUX_SPAWN_STAGE_SIGNALS = 5,       // dispositions and mask
    LINUX_SPAWN_STAGE_SESSION = 6,       // setsid
    LINUX_SPAWN_STAGE_OOM_SCORE = 7,     // /proc/self/oom_score_adj
    LINUX_SPAWN_STAGE_LIMITS = 8,        // prlimit
    LINUX_SPAWN_STAGE_EXEC = 9,          // execve
    LINUX_SPAWN_STAGE_DIRECTORY = 10,    // chdir
    LINUX_SPAWN_STAGE_KEYRING = 11,      // a session keyring of its own
    LINUX_SPAWN_STAGE_GROUPS = 12,       // setgroups, setresgid
    LINUX_SPAWN_STAGE_USER = 13,         // setresuid, and no capability after it
    LINUX_SPAWN_STAGE_PRIVILEGES = 14,   // PR_SET_NO_NEW_PRIVS
};

// One of RLIMIT_…; RLIM_INFINITY is all ones.
struct linux_resource_limit {
    int resource;
    uint64_t soft;
    uint64_t hard;
};

struct linux_spawn_request {
    int cgroup;                   // descriptor of the cgroup's directory
    const char *path;             // of the program; not searched for
    char *const *arguments;       // null-terminated
    char *const *environment;     // null-terminated
    const int *sources;           // descriptors of the caller ...
    const int *targets;           // ... and the numbers the child finds them at; no target twice
    unsigned descriptor_count;
    char *const *pid_texts;       // where the child writes its own PID in decimal, for LISTEN_PID: each with
    unsigned pid_text_count;      // room for 12 bytes, and not used by another spawn at the same time
    uint64_t reset_signals;       // bit n-1: signal n goes back to its default
    enum linux_spawn_mode mode;
    bool new_session;             // setsid
    const struct linux_resource_limit *limits;
    unsigned limit_count;
    // Another user: a session keyring, groups and capabilities of ours are not its own. Only with a copy of memory:
    // that user may stop the child, and with it whoever waits for it.
    bool sets_user;
    uid_t user;
    gid_t group;
    const gid_t *groups;          // supplementary
    unsigned group_count;
    bool no_new_privileges;       // PR_SET_NO_NEW_PRIVS
    const char *working_directory;  // chdir, as that user; null for ours
    bool sets_umask;
    uint32_t umask;
    bool sets_oom_score;          // /proc/self/oom_score_adj
    int oom_score_adjustment;
};

struct linux_spawn_result {
    pid_t pid;
    int pidfd;                    // close-on-exec; the caller's to close
    int status_pipe;              // copies memory: non-blocking read end, the caller's to close; else -1
    int error;                    // errno of the failure, 0 if none
    enum linux_spawn_stage stage;
};

// What the child of a plain clone writes to the status pipe if it fails. End of file without it: exec
// succeeded, or the child was killed before; the pidfd tells which.
struct linux_spawn_report {
    int32_t error;
    int32_t stage;
};

// Starts the program. The child runs in the cgroup from its first instruction, keeps descriptors 0, 1, 2 and
// the targets, has an empty signal mask and no handler. All signals are blocked in the calling thread
// meanwhile and its mask is restored on every path. Other threads may spawn at the same time.
// Returns 0 or -errno; then `error` and `stage` say more, and no process, descriptor or zombie is left.
int linux_spawn(const struct linux_spawn_request *request, struct linux_spawn_result *result);

// The signals that this process ignores now: bit n-1 for signal n.
uint64_t linux_ignored_signals(void);
