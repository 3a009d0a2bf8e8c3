// What the test harness needs of glibc beyond what Swift sees of it.
#pragma once

#include <sys/types.h>

// Starts a program in a session of its own, with every signal at its default and none blocked, and no
// descriptor but 0 (`input`, or the terminal at this path), 1 and 2. `directory` may be null.
// Returns 0 and fills `pid`, or an errno.
int harness_spawn(char *const arguments[], char *const environment[], int input, const char *terminal, int output,
                  int log, const char *directory, pid_t *pid);

// A new terminal's controlling end, close-on-exec; fills the path of the other. Returns -errno.
int harness_terminal(char *path, size_t size);

// Sets how many bytes a pipe holds; returns what it became, or -errno.
int harness_pipe_size(int pipe, int bytes);

// From now on this thread opens and closes descriptors by itself. Returns 0, or an errno.
int harness_unshare_descriptors(void);

// Sets the soft RLIMIT_NOFILE of a process. Returns 0, or an errno.
int harness_limit_descriptors(pid_t process, unsigned long long number);

// From now on this system call answers with this errno in every thread of the process, and in its children: a seccomp
// filter, as systemd's RestrictSUIDSGID= installs one. Returns 0, or an errno.
int harness_refuse_system_call(unsigned number, unsigned short error);
