// The worker of the benchmark: it says when it began to run, then waits to be killed.
//
//     worker [FIFO]        without FIFO: the one that BENCH_REPORT names
//
// One line a worker, "PID NANOSECONDS": the time is CLOCK_MONOTONIC at the first statement of main.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argument_count, char **arguments)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);

    const char *path = argument_count > 1 ? arguments[1] : getenv("BENCH_REPORT");
    if (!path) {
        fprintf(stderr, "worker: no FIFO to report to: neither an argument nor BENCH_REPORT\n");
        return 64;
    }
    int report = open(path, O_WRONLY | O_CLOEXEC);
    if (report < 0) {
        perror(path);
        return 1;
    }
    char line[64];
    int length = snprintf(line, sizeof line, "%d %lld\n", (int)getpid(),
                          now.tv_sec * 1000000000LL + now.tv_nsec);
    // Shorter than PIPE_BUF, so the line arrives whole or not at all.
    if (write(report, line, (size_t)length) != length) {
        perror(path);
        return 1;
    }
    close(report);
    for (;;)
        pause();
}
