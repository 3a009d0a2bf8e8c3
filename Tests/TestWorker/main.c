// A worker for tests, in plain C: whatever a test needs to see a process do, from its first instruction on.
// The first argument is the mode; see the table at the end.

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"
#include "notify.h"
#include "puppet.h"
#include "sockets.h"
#include "worker.h"

extern char **environ;

void fail(const char *what) {
    fprintf(stderr, "TestWorker: %s: %s\n", what, strerror(errno));
    _exit(99);
}

void say(const char *text) {
    size_t length = strlen(text), start = 0;
    while (start < length) {
        ssize_t count = write(1, text + start, length - start);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) _exit(98);
        start += (size_t)count;
    }
}

long long number(const char *text) {
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text) fail(text);
    switch (*end) {
    case 'K': return value << 10;
    case 'M': return value << 20;
    case 'G': return value << 30;
    default: return value;
    }
}

void pause_milliseconds(long long milliseconds) {
    struct timespec rest = {milliseconds / 1000, (milliseconds % 1000) * 1000000};
    while (nanosleep(&rest, &rest) < 0 && errno == EINTR) {
    }
}

_Noreturn void sleep_for_ever(void) {
    for (;;) pause();
}

// MARK: Modes

// "WHO PID /its/cgroup": what the process itself sees.
static void tell_place(const char *who) {
    char text[4096], line[4200];
    int file = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    if (file < 0) fail("/proc/self/cgroup");
    ssize_t length = read(file, text, sizeof text - 1);
    if (length < 0) fail("/proc/self/cgroup");
    close(file);
    text[length] = 0;
    char *place = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    if (place == NULL) fail("/proc/self/cgroup has no 0::");
    place = strstr(place, "0::") + 3;
    place[strcspn(place, "\n")] = 0;
    snprintf(line, sizeof line, "%s %d %s\n", who, (int)getpid(), place);
    say(line);
}

static int mode_place(char **arguments) {
    (void)arguments;
    tell_place("worker");
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        tell_place("child");
        pid_t grandchild = fork();
        if (grandchild < 0) fail("fork");
        if (grandchild == 0) {
            setsid();
            tell_place("grandchild");
            _exit(0);
        }
        _exit(0);
    }
    waitpid(child, NULL, 0);
    sleep_for_ever();
}

static int mode_sleep(char **arguments) {
    if (arguments[0] != NULL) {
        pause_milliseconds(number(arguments[0]));
        return 0;
    }
    sleep_for_ever();
}

static int mode_exit(char **arguments) {
    if (arguments[0] != NULL && arguments[1] != NULL) pause_milliseconds(number(arguments[1]));
    return (int)number(arguments[0] ? arguments[0] : "0");
}

static int mode_crash(char **arguments) {
    int signal_number = arguments[0] ? (int)number(arguments[0]) : SIGSEGV;
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    // The package links every program with a runtime that may catch crashes.
    signal(signal_number, SIG_DFL);
    raise(signal_number);
    return 97;
}

static int mode_ignore_term(char **arguments) {
    (void)arguments;
    signal(SIGTERM, SIG_IGN);
    say("ready\n");
    sleep_for_ever();
}

static long long clean_up_time;
static volatile sig_atomic_t stop_signals;
static void count_stop(int signal_number) {
    (void)signal_number;
    stop_signals++;
}

// At the stop signal it takes its time, says how many signals came meanwhile, and exits 0.
static int mode_clean_up(char **arguments) {
    clean_up_time = number(arguments[0] ? arguments[0] : "0");
    struct sigaction action = {.sa_handler = count_stop};
    sigaction(SIGTERM, &action, NULL);
    sigset_t term, before;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &before);
    say("ready\n");
    while (stop_signals == 0) sigsuspend(&before);
    sigprocmask(SIG_UNBLOCK, &term, NULL);
    say("cleaning\n");
    pause_milliseconds(clean_up_time);
    char line[64];
    snprintf(line, sizeof line, "cleaned %d\n", (int)stop_signals);
    say(line);
    return 0;
}

// Everything a worker inherits, a fact a line.
static int mode_inherited(char **arguments) {
    (void)arguments;
    char line[8192], path[64], target[4096];
    // The list first: opening the directory makes a descriptor itself.
    for (int descriptor = 0; descriptor < 1024; descriptor++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0) continue;
        target[length] = 0;
        snprintf(line, sizeof line, "descriptor %d %s\n", descriptor, target);
        say(line);
    }
    for (char **entry = environ; *entry != NULL; entry++) {
        snprintf(line, sizeof line, "environment %s\n", *entry);
        say(line);
    }
    FILE *status = fopen("/proc/self/status", "re");
    if (status == NULL) fail("/proc/self/status");
    while (fgets(path, sizeof path, status) != NULL) {
        if (strncmp(path, "SigBlk:", 7) == 0 || strncmp(path, "SigIgn:", 7) == 0) {
            snprintf(line, sizeof line, "%.6s %s", path, path + 8);
            say(line);
        }
    }
    fclose(status);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    mode_t mask = umask(0);
    char directory[4096] = "";
    if (getcwd(directory, sizeof directory) == NULL) fail("getcwd");
    snprintf(line, sizeof line, "session %d process %d group %d\nfiles %llu %llu\numask %o\ndirectory %s\nend\n",
             (int)getsid(0), (int)getpid(), (int)getpgrp(), (unsigned long long)limit.rlim_cur,
             (unsigned long long)limit.rlim_max, (unsigned)mask, directory);
    say(line);
    sleep_for_ever();
}

static void touch(volatile char *memory, size_t size) {
    for (size_t offset = 0; offset < size; offset += 4096) memory[offset] = 1;
}

// Takes BYTES over MILLISECONDS, says so, then holds them, or frees them (second word) and sleeps, or exits.
static void allocate(char **arguments) {
    size_t size = (size_t)number(arguments[0]);
    long long milliseconds = arguments[1] ? number(arguments[1]) : 0;
    const char *then = arguments[1] && arguments[2] ? arguments[2] : "hold";
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    madvise(memory, size, MADV_NOHUGEPAGE);
    size_t steps = milliseconds > 0 ? (size_t)milliseconds : 1;
    size_t step = (size / steps + 4095) & ~(size_t)4095;
    if (step == 0) step = 4096;
    for (size_t done = 0; done < size; done += step) {
        touch(memory + done, size - done < step ? size - done : step);
        if (milliseconds > 0) pause_milliseconds(1);
    }
    say("allocated\n");
    if (strcmp(then, "free") == 0) {
        munmap(memory, size);
        say("freed\n");
    } else if (strcmp(then, "exit") == 0) {
        _exit(0);
    }
    sleep_for_ever();
}

static int mode_allocate(char **arguments) {
    allocate(arguments);
    return 0;
}

// As allocate; at SIGTERM it cleans up for so many milliseconds (last word) and exits 0.
static void clean_up_and_leave(int signal_number) {
    (void)signal_number;
    say("cleaning\n");
    pause_milliseconds(clean_up_time);
    say("cleaned 1\n");
    _exit(0);
}

static int mode_allocate_clean_up(char **arguments) {
    clean_up_time = number(arguments[2] ? arguments[2] : "0");
    signal(SIGTERM, clean_up_and_leave);
    char *rest[] = {arguments[0], arguments[1], NULL};
    allocate(rest);
    return 0;
}

// A child takes the memory; the worker waits for it and says how it ended.
static int mode_child_allocates(char **arguments) {
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        allocate(arguments);
        _exit(0);
    }
    char line[64];
    snprintf(line, sizeof line, "child %d\n", (int)child);
    say(line);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    snprintf(line, sizeof line, "child ended %d\n", WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
    say(line);
    sleep_for_ever();
}

// Writes a file of so many bytes and reads it again, for ever: page cache, hardly any memory of its own.
static int mode_file_cache(char **arguments) {
    const char *path = arguments[0];
    size_t size = (size_t)number(arguments[1]);
    long long rounds = arguments[2] ? number(arguments[2]) : -1;
    static char block[65536];
    for (long long round = 0; rounds < 0 || round < rounds; round++) {
        int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (file < 0) fail(path);
        for (size_t done = 0; done < size; done += sizeof block)
            if (write(file, block, sizeof block) < 0) fail(path);
        lseek(file, 0, SEEK_SET);
        while (read(file, block, sizeof block) > 0) {
        }
        close(file);
        say("round\n");
    }
    unlink(path);
    say("done\n");
    sleep_for_ever();
}

// Leaves a double-forked daemon behind and exits with the code. The daemon: "plain", "ignore" (SIGTERM), or
// "clean" (takes 200 ms at SIGTERM).
static int mode_leave_daemon(char **arguments) {
    const char *kind = arguments[0] ? arguments[0] : "plain";
    int code = arguments[0] && arguments[1] ? (int)number(arguments[1]) : 0;
    int done[2];
    if (pipe(done) < 0) fail("pipe");
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        setsid();
        pid_t grandchild = fork();
        if (grandchild < 0) fail("fork");
        if (grandchild > 0) _exit(0);
        if (strcmp(kind, "ignore") == 0) signal(SIGTERM, SIG_IGN);
        if (strcmp(kind, "clean") == 0) {
            clean_up_time = 200;
            signal(SIGTERM, clean_up_and_leave);
        }
        char line[64];
        snprintf(line, sizeof line, "daemon %d\n", (int)getpid());
        say(line);
        close(done[0]);
        if (write(done[1], "x", 1) != 1) _exit(96);
        close(done[1]);
        sleep_for_ever();
    }
    waitpid(child, NULL, 0);
    char byte;
    if (read(done[0], &byte, 1) != 1) fail("pipe");
    return code;
}

// Reads so many bytes of a block device past the page cache, and says how many milliseconds that took.
static int mode_read_device(char **arguments) {
    size_t size = (size_t)number(arguments[1]), done = 0;
    enum { block_size = 65536 };
    char *block = mmap(NULL, block_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int device = open(arguments[0], O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (device < 0 || block == MAP_FAILED) fail(arguments[0]);
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while (done < size) {
        ssize_t count = read(device, block, block_size);
        if (count <= 0) fail(arguments[0]);
        done += (size_t)count;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    char line[64];
    snprintf(line, sizeof line, "read %lld\n",
             (end.tv_sec - begin.tv_sec) * 1000LL + (end.tv_nsec - begin.tv_nsec) / 1000000);
    say(line);
    sleep_for_ever();
}

// So many sleeping children. Says how many it got, and the errno of the first it did not.
static int mode_fork_many(char **arguments) {
    long long count = number(arguments[0]), made = 0;
    int error = 0;
    for (; made < count; made++) {
        pid_t child = fork();
        if (child < 0) {
            error = errno;
            break;
        }
        if (child == 0) sleep_for_ever();
    }
    char line[64];
    snprintf(line, sizeof line, "forked %lld %d\n", made, error);
    say(line);
    sleep_for_ever();
}

// Forks without end, as each of its children does.
static int mode_fork_bomb(char **arguments) {
    (void)arguments;
    for (;;) (void)fork();
}

// So many orphans, one after the other, for whoever adopts them. Says "orphaned COUNT" when the last has ended.
static int mode_orphans(char **arguments) {
    long long count = number(arguments[0]);
    int ends[2];
    if (pipe(ends) < 0) fail("pipe");
    for (long long made = 0; made < count; made++) {
        pid_t child = fork();
        if (child < 0) fail("fork");
        if (child == 0) _exit(fork() < 0);
        int status = 0;
        if (waitpid(child, &status, 0) < 0 || status != 0) fail("an orphan");
    }
    close(ends[1]);
    char byte;
    if (read(ends[0], &byte, 1) != 0) fail("pipe");
    char line[64];
    snprintf(line, sizeof line, "orphaned %lld\n", count);
    say(line);
    sleep_for_ever();
}

// Computes for ever.
static int mode_spin(char **arguments) {
    (void)arguments;
    for (volatile unsigned long turn = 0;; turn++) {
    }
}

// Prints the value of an environment variable, and sleeps.
static int mode_variable(char **arguments) {
    char line[4096];
    const char *value = getenv(arguments[0]);
    snprintf(line, sizeof line, "%s=%s\n", arguments[0], value ? value : "");
    say(line);
    sleep_for_ever();
}

// Prints the serial number of its session keyring, -1 where it has none, and sleeps.
static int mode_keyring(char **arguments) {
    (void)arguments;
    char line[64];
    // KEYCTL_GET_KEYRING_ID of KEY_SPEC_SESSION_KEYRING
    snprintf(line, sizeof line, "keyring %ld\n", syscall(SYS_keyctl, 0, -3, 0));
    say(line);
    sleep_for_ever();
}

// Exits with the code until FILE exists, then sleeps.
static int mode_fail_until(char **arguments) {
    if (access(arguments[0], F_OK) != 0) return (int)number(arguments[1] ? arguments[1] : "1");
    sleep_for_ever();
}

static const struct mode {
    const char *name;
    int (*run)(char **arguments);
    int least;
} modes[] = {
    {"place", mode_place, 0},
    {"sleep", mode_sleep, 0},                            // [MILLISECONDS]: then exits 0
    {"exit", mode_exit, 1},                              // CODE [MILLISECONDS before]
    {"crash", mode_crash, 0},                            // [SIGNAL]
    {"ignore-term", mode_ignore_term, 0},                //
    {"clean-up", mode_clean_up, 1},                      // MILLISECONDS
    {"inherited", mode_inherited, 0},                    //
    {"allocate", mode_allocate, 1},                      // BYTES [MILLISECONDS [hold|free|exit]]
    {"allocate-clean-up", mode_allocate_clean_up, 3},    // BYTES MILLISECONDS CLEAN-UP-MILLISECONDS
    {"child-allocates", mode_child_allocates, 1},        // BYTES [MILLISECONDS [hold|free|exit]]
    {"file-cache", mode_file_cache, 2},                  // FILE BYTES [ROUNDS]
    {"leave-daemon", mode_leave_daemon, 0},              // [plain|ignore|clean [CODE]]
    {"read-device", mode_read_device, 2},                // DEVICE BYTES
    {"fork-many", mode_fork_many, 1},                    // COUNT
    {"fork-bomb", mode_fork_bomb, 0},                    //
    {"orphans", mode_orphans, 1},                        // COUNT
    {"spin", mode_spin, 0},                              //
    {"variable", mode_variable, 1},                      // NAME
    {"keyring", mode_keyring, 0},                        //
    {"fail-until", mode_fail_until, 1},                  // FILE [CODE]
    {"notify", mode_notify, 0},                          // STEP…
    {"puppet", mode_puppet, 0},                          //
    {"serve", mode_serve, 0},                            //
    {"connect", mode_connect, 2},                        // FILE tcp HOST PORT | FILE unix PATH
    {"flood", mode_flood, 1},                            // anonymous|shared|threads
    {"spike", mode_spike, 1},                            // BYTES [DIRECTORY CACHE-BYTES]
    {"hold", mode_hold, 1},                              // BYTES [ignore | clean-up MILLISECONDS BYTES]
    {"breed", mode_breed, 2},                            // BYTES child|daemon
    {"stream", mode_stream, 3},                          // DIRECTORY BYTES LEAK-BYTES
    {"trade-cache", mode_trade_cache, 3},                // DIRECTORY CACHE-BYTES BYTES
};

int main(int count, char **arguments) {
    for (size_t index = 0; count > 1 && index < sizeof modes / sizeof *modes; index++) {
        if (strcmp(arguments[1], modes[index].name) == 0 && count - 2 >= modes[index].least)
            return modes[index].run(arguments + 2);
    }
    fprintf(stderr, "TestWorker: no such mode, or too few arguments\n");
    return 64;
}
