// The worker of the streaming benchmark: writes and reads files in a loop, as a worker that only uses page cache does.
//
//     streamer FIFO DIRECTORY TOTAL-BYTES LEAK-BYTES
//
// A round writes sixteen files of together TOTAL-BYTES in DIRECTORY and reads each one back; then it allocates,
// touches and keeps LEAK-BYTES (0: none). Every second it writes one line to FIFO, shorter than PIPE_BUF:
// "PID NANOSECONDS BYTES", CLOCK_MONOTONIC and the bytes written and read since the line before. The first says 0.

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { file_count = 16, block_size = 64 * 1024 };

static int report;
static long long last_report, bytes_since;

static void fail(const char *operation, const char *what)
{
    fprintf(stderr, "streamer: %s %s: %s\n", operation, what, strerror(errno));
    exit(1);
}

static void tell(long long now)
{
    char line[96];
    int length = snprintf(line, sizeof line, "%d %lld %lld\n", (int)getpid(), now, bytes_since);
    if (write(report, line, (size_t)length) != length)
        fail("write", "report");
    last_report = now;
    bytes_since = 0;
}

static void count(size_t bytes)
{
    struct timespec clock;
    clock_gettime(CLOCK_MONOTONIC, &clock);
    long long now = clock.tv_sec * 1000000000LL + clock.tv_nsec;
    bytes_since += (long long)bytes;
    if (now - last_report >= 1000000000LL)
        tell(now);
}

static void stream(int file, long long size)
{
    static char block[block_size];
    if (lseek(file, 0, SEEK_SET) < 0)
        fail("seek in", "file");
    for (long long done = 0; done < size; done += block_size) {
        if (write(file, block, block_size) != block_size)
            fail("write", "file");
        count(block_size);
    }
    if (lseek(file, 0, SEEK_SET) < 0)
        fail("seek in", "file");
    for (long long done = 0; done < size; done += block_size) {
        if (read(file, block, block_size) != block_size)
            fail("read", "file");
        count(block_size);
    }
}

int main(int argument_count, char **arguments)
{
    long long total = argument_count == 5 ? atoll(arguments[3]) : 0;
    long long leak = argument_count == 5 ? atoll(arguments[4]) : -1;
    if (total <= 0 || leak < 0) {
        fprintf(stderr, "usage: streamer FIFO DIRECTORY TOTAL-BYTES LEAK-BYTES\n");
        return 64;
    }
    report = open(arguments[1], O_WRONLY | O_CLOEXEC);
    if (report < 0)
        fail("open", arguments[1]);
    // Open for good: hostfs, the files of User-mode Linux, drops a file's cache at its last close.
    int files[file_count];
    for (int index = 0; index < file_count; index++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%d", arguments[2], index);
        files[index] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (files[index] < 0)
            fail("open", path);
    }
    struct timespec clock;
    clock_gettime(CLOCK_MONOTONIC, &clock);
    tell(clock.tv_sec * 1000000000LL + clock.tv_nsec);
    for (;;) {
        for (int index = 0; index < file_count; index++)
            stream(files[index], total / file_count);
        if (leak > 0) {
            void *kept = mmap(NULL, (size_t)leak, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (kept == MAP_FAILED)
                fail("mmap", "leak");
            memset(kept, 1, (size_t)leak);
        }
    }
}
