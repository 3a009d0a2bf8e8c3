// A worker on strings, for the chaos run: SIGRTMIN with a value (sigqueue(3)) tells it what to do next. Until then it
// says READY=1 and WATCHDOG=1 where it has a NOTIFY_SOCKET; at SIGTERM it exits 0.

#define _GNU_SOURCE
#include "puppet.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"
#include "worker.h"

// Tests/Chaos/deeds.py has the same numbers.
enum deed {
    deed_succeed = 1, // exits 0
    deed_fail,        // exits 3
    deed_abort,       // SIGABRT
    deed_flood,       // takes memory until it is killed
    deed_leak,        // takes memory bit by bit, exits 0 at SIGTERM
    deed_cling,       // the same, deaf to SIGTERM
    deed_bomb,        // forks without end, as each child does
    deed_fall_silent, // says nothing any more, deaf to SIGTERM
    deed_chatter,     // thousands of messages, sensible ones and garbage
    deed_print,       // two megabytes on stdout
    deed_leave,       // leaves a daemon behind, deaf to SIGTERM, and exits 0
};

static int notify_socket = -1;
static struct sockaddr_un notify_address = {.sun_family = AF_UNIX};

static void tell(const void *bytes, size_t size) {
    if (notify_socket < 0) return;
    // What does not fit is lost, as with every flood.
    (void)!sendto(notify_socket, bytes, size, MSG_DONTWAIT, (struct sockaddr *)&notify_address, sizeof notify_address);
}

static void find_notify_socket(void) {
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL) return;
    snprintf(notify_address.sun_path, sizeof notify_address.sun_path, "%s", path);
    notify_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify_socket < 0) fail("socket");
}

static void chatter(void) {
    char text[256];
    for (unsigned long number = 0; number < 5000; number++) {
        int length = snprintf(text, sizeof text, "STATUS=message %lu", number);
        switch (number % 5) {
        case 0: tell(text, (size_t)length); break;
        case 1: tell("\xff\xfe=\0\n=\n\n==", 10); break;
        case 2: tell("WATCHDOG=1\nEXTEND_TIMEOUT_USEC=99999999999999999999\n", 52); break;
        case 3: tell("FDSTORE=1\nMAINPID=1\nBARRIER=1", 29); break;
        case 4: tell("RELOADING=1\nSTATUS=\nERRNO=-1", 28); break;
        }
    }
}

static void print_much(void) {
    char line[1024];
    memset(line, 'p', sizeof line);
    line[sizeof line - 2] = '\n';
    line[sizeof line - 1] = 0;
    for (int count = 0; count < 2048; count++) say(line);
}

static void leave_daemon(void) {
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        setsid();
        pid_t grandchild = fork();
        if (grandchild < 0) fail("fork");
        // SIGTERM is blocked in it.
        if (grandchild == 0) sleep_for_ever();
        _exit(0);
    }
    waitpid(child, NULL, 0);
    _exit(0);
}

int mode_puppet(char **arguments) {
    (void)arguments;
    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGTERM);
    sigaddset(&awaited, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &awaited, NULL);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    // The package links every program with a runtime that may catch crashes.
    signal(SIGABRT, SIG_DFL);
    find_notify_socket();
    tell("READY=1", 7);
    // From here on nothing it is told is lost: Tests/Chaos/machine.py. One that is stopped before it is ready would stay so
    // for ever: nobody has been promised a sign of life yet.
    if (prctl(PR_SET_NAME, "puppet") < 0) fail("prctl");
    int is_deaf = 0, is_leaking = 0, is_silent = 0;
    for (;;) {
        struct timespec patience = {0, is_leaking ? 10000000 : 400000000};
        siginfo_t info;
        const int received = sigtimedwait(&awaited, &info, &patience);
        if (received < 0 && errno != EAGAIN && errno != EINTR) fail("sigtimedwait");
        if (received == SIGTERM && !is_deaf) return 0;
        if (received == SIGRTMIN) {
            switch ((enum deed)info.si_value.sival_int) {
            case deed_succeed: return 0;
            case deed_fail: return 3;
            case deed_abort: abort();
            case deed_flood: return mode_flood((char *[]){"anonymous", NULL});
            case deed_leak: is_leaking = 1; break;
            case deed_cling: is_leaking = is_deaf = 1; break;
            case deed_bomb:
                for (;;) (void)fork();
            case deed_fall_silent: is_silent = is_deaf = 1; break;
            case deed_chatter: chatter(); break;
            case deed_print: print_much(); break;
            case deed_leave: leave_daemon(); break;
            }
        }
        if (is_leaking) (void)take(256 << 10);
        if (!is_silent) tell("WATCHDOG=1", 10);
    }
}
