// Both ends of a listening socket: the worker that serves those it was handed, and a client that connects without
// pause.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sockets.h"
#include "worker.h"

enum { first = 3, most = 64 };

// Says "serving COUNT NAMES ours|another's PID", and answers every connection with its process number.
int mode_serve(char **arguments) {
    (void)arguments;
    const char *count_text = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES"), *pid = getenv("LISTEN_PID");
    int count = count_text != NULL ? atoi(count_text) : 0;
    if (count > most) return 97;
    char line[512];
    snprintf(line, sizeof line, "serving %d %s %s %d\n", count, names ? names : "-",
             pid != NULL && atoll(pid) == getpid() ? "ours" : "another's", (int)getpid());
    struct pollfd requests[most];
    for (int i = 0; i < count; i++) {
        // For the others of the pool too: it belongs to the open socket.
        if (fcntl(first + i, F_SETFL, fcntl(first + i, F_GETFL) | O_NONBLOCK) < 0) fail("a passed socket");
        requests[i] = (struct pollfd){.fd = first + i, .events = POLLIN};
    }
    say(line);
    snprintf(line, sizeof line, "%d\n", (int)getpid());
    for (;;) {
        if (poll(requests, (nfds_t)count, -1) < 0) continue;
        for (int i = 0; i < count; i++) {
            if (requests[i].revents == 0) continue;
            int connection = accept4(first + i, NULL, NULL, SOCK_CLOEXEC);
            if (connection < 0) continue;
            (void)!write(connection, line, strlen(line));
            close(connection);
        }
    }
}

static volatile sig_atomic_t is_asked_to_end;
static void ask_to_end(int signal_number) {
    (void)signal_number;
    is_asked_to_end = 1;
}

// Connects, reads what comes, and again, until SIGTERM. Then writes into FILE how many connections were made, how
// many refused, how many got no answer (their worker died), and the last errno of a refusal.
int mode_connect(char **arguments) {
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
        struct sockaddr_un file;
    } address = {0};
    socklen_t length;
    if (strcmp(arguments[1], "unix") == 0 && arguments[2] != NULL) {
        address.file.sun_family = AF_UNIX;
        snprintf(address.file.sun_path, sizeof address.file.sun_path, "%s", arguments[2]);
        length = sizeof address.file;
    } else if (arguments[2] != NULL && arguments[3] != NULL) {
        in_port_t port = htons((in_port_t)number(arguments[3]));
        if (inet_pton(AF_INET, arguments[2], &address.four.sin_addr) == 1) {
            address.four.sin_family = AF_INET;
            address.four.sin_port = port;
            length = sizeof address.four;
        } else {
            if (inet_pton(AF_INET6, arguments[2], &address.six.sin6_addr) != 1) fail(arguments[2]);
            address.six.sin6_family = AF_INET6;
            address.six.sin6_port = port;
            length = sizeof address.six;
        }
    } else {
        return 64;
    }
    struct sigaction action = {.sa_handler = ask_to_end};
    sigaction(SIGTERM, &action, NULL);
    long long made = 0, refused = 0, unanswered = 0;
    int last = 0;
    while (!is_asked_to_end) {
        int connection = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connection < 0) fail("socket");
        if (connect(connection, &address.any, length) < 0) {
            if (errno != EINTR) {
                last = errno;
                refused++;
            }
        } else {
            made++;
            char answer[64];
            if (read(connection, answer, sizeof answer) <= 0 && !is_asked_to_end) unanswered++;
        }
        close(connection);
    }
    FILE *file = fopen(arguments[0], "we");
    if (file == NULL) fail(arguments[0]);
    fprintf(file, "%lld %lld %lld %d\n", made, refused, unanswered, last);
    return fclose(file) == 0 ? 0 : 96;
}
