// The worker of the benchmark: it says when it began to run, then waits to be killed, or ends by itself.
//
//     worker [FIFO]                      without FIFO: the one that BENCH_REPORT names
//     worker FIFO MILLISECONDS GATE      ends with 0 after so long, but not while another has flock(2)ed the file GATE
//
// One line a worker, "PID NANOSECONDS": the time is CLOCK_MONOTONIC at the first statement of main.

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
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
    if (argument_count == 4) {
        long milliseconds = atol(arguments[2]);
        struct timespec life = {milliseconds / 1000, milliseconds % 1000 * 1000000};
        while (nanosleep(&life, &life) && errno == EINTR)
            continue;
        int gate = open(arguments[3], O_RDONLY | O_CLOEXEC);
        if (gate < 0 || flock(gate, LOCK_SH)) {
            perror(arguments[3]);
            return 1;
        }
        return 0;
    }
    for (;;)
        pause();
}
