// The worker of the benchmarks about memory: it eats some, noting when.
//
//     eater kill FIFO BOARD                      on SIGUSR1 anonymous memory page by page, until it is killed
//     eater high FIFO CGROUP-MOUNT               on SIGUSR1 the same, until memory.events has one more `high` ...
//     eater rss FIFO BYTES                       ... or until its RSS in /proc/self/statm is above BYTES
//     eater anonymous|shared|file|threads BYTES DIRECTORY     at once so many bytes, then it ends with 0
//
// The first three write "PID NANOSECONDS" to FIFO at their first statement, CLOCK_MONOTONIC. `kill` stores the time
// before each touch in the first eight bytes of the file BOARD. `high` and `rss` report "PID NANOSECONDS NANOSECONDS":
// when the touch began that crossed, and when SIGTERM came, after which they end with 0; for `rss`, which is
// killed, the second is 0. A `high` that nobody signals within 300 ms was a false alarm: it eats on.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { page = 4096, threads = 8 };
static const size_t most = (size_t)1 << 30;
static volatile int64_t signalled;

static int64_t now(void)
{
    struct timespec clock;
    clock_gettime(CLOCK_MONOTONIC, &clock);
    return clock.tv_sec * INT64_C(1000000000) + clock.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "eater: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void note_signal(int number)
{
    (void)number;
    if (signalled == 0)
        signalled = now();
}

static char *map(size_t bytes, int flags, int file)
{
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, file, 0);
    if (memory == MAP_FAILED)
        fail("mmap");
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    return memory;
}

static char *map_anonymous(size_t bytes) { return map(bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1); }

static void tell(const char *fifo, const char *line)
{
    int report = open(fifo, O_WRONLY | O_CLOEXEC);
    if (report < 0 || write(report, line, strlen(line)) < 0)
        fail(fifo);
    close(report);
}

static void wait_for_the_word(void)
{
    sigset_t usr1;
    int number;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigwait(&usr1, &number);
}

static void eat_until_killed(const char *board_path)
{
    int file = open(board_path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        fail(board_path);
    volatile int64_t *board = (volatile int64_t *)(void *)map(page, MAP_SHARED, file);
    wait_for_the_word();
    char *memory = map_anonymous(most);
    for (size_t at = 0; at < most; at += page) {
        *board = now();
        memory[at] = 1;
    }
}

static int open_own_events(const char *mount)
{
    char place[2048] = "", path[4096];
    FILE *own = fopen("/proc/self/cgroup", "re");
    while (own && fgets(place, sizeof place, own) && strncmp(place, "0::", 3))
        continue;
    if (own)
        fclose(own);
    place[strcspn(place, "\n")] = 0;
    snprintf(path, sizeof path, "%s%s/memory.events", mount, place + 3);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        fail(path);
    return file;
}

// The number after `key` in the file: of memory.events, the second field of statm.
static long long number_in(int file, const char *key)
{
    char text[512];
    ssize_t length = pread(file, text, sizeof text - 1, 0);
    if (length < 0)
        fail("read");
    text[length] = 0;
    const char *found = strstr(text, key);
    return found ? atoll(found + strlen(key)) : 0;
}

static void eat_until_crossed(const char *fifo, int file, const char *key, long long limit, int follows)
{
    char line[96];
    struct sigaction action = {.sa_handler = note_signal};
    if (follows)
        sigaction(SIGTERM, &action, NULL);
    wait_for_the_word();
    char *memory = map_anonymous(most);
    for (size_t at = 0; at < most; at += page) {
        int64_t touch = now();
        memory[at] = 1;
        long long value = number_in(file, key);
        if (value <= limit && signalled == 0)
            continue;
        if (!follows) {
            snprintf(line, sizeof line, "%d %lld 0\n", (int)getpid(), (long long)touch);
            tell(fifo, line);
            for (;;)
                pause();
        }
        limit = value;
        struct timespec patience = {0, 300000000};
        while (signalled == 0 && nanosleep(&patience, &patience) && errno == EINTR)
            continue;
        if (signalled != 0) {
            snprintf(line, sizeof line, "%d %lld %lld\n", (int)getpid(), (long long)touch, (long long)signalled);
            tell(fifo, line);
            exit(0);
        }
    }
}

static void *eat_a_share(void *bytes)
{
    memset(map_anonymous(*(size_t *)bytes), 1, *(size_t *)bytes);
    pause();
    return NULL;
}

static void eat_at_once(const char *kind, size_t bytes, const char *directory)
{
    if (strcmp(kind, "anonymous") == 0) {
        memset(map_anonymous(bytes), 1, bytes);
    } else if (strcmp(kind, "shared") == 0) {
        int file = memfd_create("eater", MFD_CLOEXEC);
        if (file < 0 || ftruncate(file, (off_t)bytes))
            fail("memfd");
        memset(map(bytes, MAP_SHARED, file), 1, bytes);
    } else if (strcmp(kind, "file") == 0) {
        char path[4096];
        snprintf(path, sizeof path, "%s/eater.XXXXXX", directory);
        int file = mkostemp(path, O_CLOEXEC);
        static char block[65536];
        if (file < 0 || unlink(path))
            fail(path);
        for (size_t done = 0; done < bytes; done += sizeof block)
            if (write(file, block, sizeof block) != sizeof block)
                fail("write");
    } else {
        size_t share = bytes / threads;
        pthread_t one;
        for (int index = 0; index < threads; index++)
            if ((errno = pthread_create(&one, NULL, eat_a_share, &share)))
                fail("thread");
        pause();
    }
}

int main(int argument_count, char **arguments)
{
    int64_t started = now();
    if (argument_count < 4) {
        fprintf(stderr, "usage: eater kill|high|rss FIFO WHAT, or anonymous|shared|file|threads BYTES DIRECTORY\n");
        return 64;
    }
    const char *kind = arguments[1];
    if (strcmp(kind, "kill") && strcmp(kind, "high") && strcmp(kind, "rss")) {
        eat_at_once(kind, (size_t)atoll(arguments[2]), arguments[3]);
        return 0;
    }
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    char line[64];
    snprintf(line, sizeof line, "%d %lld\n", (int)getpid(), (long long)started);
    tell(arguments[2], line);
    if (strcmp(kind, "kill") == 0)
        eat_until_killed(arguments[3]);
    else if (strcmp(kind, "high") == 0)
        eat_until_crossed(arguments[2], open_own_events(arguments[3]), "high ", 0, 1);
    else
        eat_until_crossed(arguments[2], open("/proc/self/statm", O_RDONLY | O_CLOEXEC), " ",
                          atoll(arguments[3]) / page, 0);
    return 0;
}
