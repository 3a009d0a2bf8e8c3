#define _GNU_SOURCE
#include "memory.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // Linux 5.14
#endif

static const size_t mebibyte = 1 << 20;

// A mebibyte at a time, faulted in by the kernel: in an emulated machine a fault of our own costs 20 times as
// much.
char *take(size_t size) {
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    for (size_t done = 0; done < size; done += mebibyte) {
        const size_t left = size - done;
        if (madvise(memory + done, left < mebibyte ? left : mebibyte, MADV_POPULATE_WRITE) < 0) fail("madvise");
    }
    return memory;
}

// Opens a file of this size; it is written where there is none. It stays open: some file systems drop the
// cache of a file that nobody has open.
static int open_file(const char *directory, size_t size) {
    static char block[1 << 20];
    char path[4096];
    snprintf(path, sizeof path, "%s/stream-%zu", directory, size);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) fail(path);
    off_t done = lseek(file, 0, SEEK_END);
    memset(block, 's', sizeof block);
    while (done < (off_t)size) {
        ssize_t written = write(file, block, sizeof block);
        if (written <= 0) fail(path);
        done += written;
    }
    if (fsync(file) < 0) fail(path);
    return file;
}

static void read_all(int file) {
    static char block[1 << 20];
    ssize_t count;
    if (lseek(file, 0, SEEK_SET) < 0) fail("lseek");
    while ((count = read(file, block, sizeof block)) > 0) {
    }
    if (count < 0) fail("read");
}

static volatile sig_atomic_t stopped;

static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

static void wait_for_stop(void) {
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    while (!stopped) sigsuspend(&before);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void *take_for_ever(void *unused) {
    (void)unused;
    for (;;) take(mebibyte);
}

// Takes memory until it is killed: anonymous, shared (of tmpfs), or by several threads at once.
int mode_flood(char **arguments) {
    if (strcmp(arguments[0], "shared") == 0) {
        static char block[1 << 20];
        int file = memfd_create("flood", MFD_CLOEXEC);
        if (file < 0) fail("memfd_create");
        for (;;)
            if (write(file, block, sizeof block) < 0) fail("write");
    }
    for (int count = strcmp(arguments[0], "threads") == 0 ? 4 : 1; count > 1; count--) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, take_for_ever, NULL) != 0) fail("pthread_create");
    }
    take_for_ever(NULL);
    return 0;
}

// Fills the page cache, takes so much at once, gives it back, and ends three seconds later.
int mode_spike(char **arguments) {
    const size_t size = (size_t)number(arguments[0]);
    if (arguments[1] != NULL) {
        int file = open_file(arguments[1], (size_t)number(arguments[2]));
        // What another worker has read is charged to that one.
        posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
        read_all(file);
    }
    munmap(take(size), size);
    pause_milliseconds(3000);
    return 0;
}

// Takes so much, says so and waits. At SIGTERM it ends, or does nothing, or takes more, says so and ends after
// some time. With a clean-up only the first incarnation of a slot takes anything before.
int mode_hold(char **arguments) {
    const size_t size = (size_t)number(arguments[0]);
    const char *manner = arguments[1] ? arguments[1] : "";
    if (strcmp(manner, "clean-up") == 0) {
        const char *incarnation = getenv("SERGEANT_INCARNATION");
        signal(SIGTERM, stop);
        if (incarnation != NULL && strcmp(incarnation, "1") == 0) take(size);
        say("holding\n");
        wait_for_stop();
        take((size_t)number(arguments[3]));
        pause_milliseconds(number(arguments[2]));
        say("cleaned up\n");
        return 0;
    }
    if (strcmp(manner, "ignore") == 0) signal(SIGTERM, SIG_IGN);
    take(size);
    say("holding\n");
    sleep_for_ever();
}

// A child, or a daemon that has left its parent, takes so much.
int mode_breed(char **arguments) {
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        if (strcmp(arguments[1], "daemon") == 0) {
            setsid();
            pid_t grandchild = fork();
            if (grandchild < 0) fail("fork");
            if (grandchild > 0) _exit(0);
        }
        take((size_t)number(arguments[0]));
        say("the child has it all\n");
    } else if (strcmp(arguments[1], "daemon") == 0) {
        waitpid(child, NULL, 0);
    }
    sleep_for_ever();
}

// Reads a file of this size again and again, takes some memory after each round, and says so.
int mode_stream(char **arguments) {
    int file = open_file(arguments[0], (size_t)number(arguments[1]));
    const size_t leak = (size_t)number(arguments[2]);
    for (unsigned long round = 1;; round++) {
        read_all(file);
        if (leak > 0) take(leak);
        char line[32];
        snprintf(line, sizeof line, "round %lu\n", round);
        say(line);
    }
}

// Reads a file twice, gives its page cache back, takes so much, says so and waits.
int mode_trade_cache(char **arguments) {
    int file = open_file(arguments[0], (size_t)number(arguments[1]));
    read_all(file);
    read_all(file);
    if (posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) != 0) fail("posix_fadvise");
    take((size_t)number(arguments[2]));
    say("holding\n");
    sleep_for_ever();
}
