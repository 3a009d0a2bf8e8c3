#define _GNU_SOURCE
#include "CSupervisorHarness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

int harness_spawn(char *const arguments[], char *const environment[], int input, const char *terminal, int output,
                  int log, const char *directory, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) return error;
    error = posix_spawnattr_init(&attributes);
    if (error != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return error;
    }
    // A session's leader gets the terminal that it opens.
    error = terminal != NULL ? posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
                             : posix_spawn_file_actions_adddup2(&actions, input, 0);
    if (error == 0) error = posix_spawn_file_actions_adddup2(&actions, output, 1);
    if (error == 0) error = posix_spawn_file_actions_adddup2(&actions, log, 2);
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (error == 0 && directory != NULL) error = posix_spawn_file_actions_addchdir_np(&actions, directory);
    if (error == 0) error = posix_spawnattr_setsigmask(&attributes, &none);
    if (error == 0) error = posix_spawnattr_setsigdefault(&attributes, &all);
    if (error == 0)
        error = posix_spawnattr_setflags(
            &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    if (error == 0) error = posix_spawnp(pid, arguments[0], &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int harness_terminal(char *path, size_t size) {
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0) return -errno;
    int error = grantpt(terminal) != 0 || unlockpt(terminal) != 0 ? errno : ptsname_r(terminal, path, size);
    if (error == 0) return terminal;
    close(terminal);
    return -error;
}

int harness_pipe_size(int pipe, int bytes) {
    int result = fcntl(pipe, F_SETPIPE_SZ, bytes);
    return result < 0 ? -errno : result;
}

int harness_limit_descriptors(pid_t process, unsigned long long number) {
    struct rlimit limit;
    if (prlimit(process, RLIMIT_NOFILE, NULL, &limit) != 0) return errno;
    limit.rlim_cur = number < limit.rlim_max ? number : limit.rlim_max;
    return prlimit(process, RLIMIT_NOFILE, &limit, NULL) == 0 ? 0 : errno;
}
