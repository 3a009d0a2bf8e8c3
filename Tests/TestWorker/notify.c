#define _GNU_SOURCE
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker.h"

static int notify_socket;

static void send_to(const char *path, const void *bytes, size_t size, const int *descriptors, size_t count, int flags) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(253 * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
    struct msghdr message = {
        .msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    if (sendmsg(notify_socket, &message, flags) < 0 && errno != EAGAIN && errno != ECONNREFUSED && errno != ENOENT)
        fail("sendmsg");
}

static const char *own_socket(void) {
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL) fail("NOTIFY_SOCKET is not there");
    return path;
}

static void notify(const char *text, int flags) {
    char lines[1024];
    snprintf(lines, sizeof lines, "%s", text);
    for (char *sign = lines; *sign != '\0'; sign++)
        if (*sign == ';') *sign = '\n';
    send_to(own_socket(), lines, strlen(lines), NULL, 0, flags);
}

static void notify_from_child(const char *text) {
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        notify(text, 0);
        _exit(0);
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
}

static void notify_with_descriptors(char *rest) {
    char *text = strchr(rest, ':');
    if (text == NULL) fail("descriptors:N:TEXT");
    *text++ = '\0';
    int descriptors[253];
    size_t count = (size_t)number(rest);
    for (size_t i = 0; i < count; i++) {
        descriptors[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (descriptors[i] < 0) fail("open");
    }
    send_to(own_socket(), text, strlen(text), descriptors, count, 0);
    for (size_t i = 0; i < count; i++) close(descriptors[i]);
}

static void barrier(void) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) fail("pipe2");
    send_to(own_socket(), "BARRIER=1", strlen("BARRIER=1"), &ends[1], 1, 0);
    close(ends[1]);
    char byte;
    // Ends when nobody has the other end any more.
    if (read(ends[0], &byte, 1) != 0) fail("read");
    close(ends[0]);
    say("barrier\n");
}

static const char *after(const char *step, const char *name) {
    size_t length = strlen(name);
    return strncmp(step, name, length) == 0 ? step + length : NULL;
}

int mode_notify(char **steps) {
    notify_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify_socket < 0) fail("socket");
    for (; *steps != NULL; steps++) {
        const char *rest;
        if ((rest = after(*steps, "say:"))) notify(rest, 0);
        else if ((rest = after(*steps, "child:"))) notify_from_child(rest);
        else if ((rest = after(*steps, "descriptors:"))) notify_with_descriptors((char *)rest);
        else if ((rest = after(*steps, "bytes:"))) {
            size_t size = (size_t)number(rest);
            char *bytes = malloc(size);
            if (bytes == NULL) fail("malloc");
            memset(bytes, 0xA5, size);
            send_to(own_socket(), bytes, size, NULL, 0, 0);
            free(bytes);
        } else if ((rest = after(*steps, "flood:"))) {
            char *text = strchr((char *)rest, ':');
            if (text == NULL) fail("flood:N:TEXT");
            *text++ = '\0';
            for (long long left = number(rest); left > 0; left--) notify(text, MSG_DONTWAIT);
        } else if ((rest = after(*steps, "every:"))) {
            char *text = strchr((char *)rest, ':');
            if (text == NULL) fail("every:MILLISECONDS:TEXT");
            *text++ = '\0';
            for (;; pause_milliseconds(number(rest))) notify(text, MSG_DONTWAIT);
        } else if ((rest = after(*steps, "elsewhere:"))) {
            char *text = strchr((char *)rest, ':');
            if (text == NULL) fail("elsewhere:PATH:TEXT");
            *text++ = '\0';
            send_to(rest, text, strlen(text), NULL, 0, 0);
        } else if ((rest = after(*steps, "print:"))) {
            char line[256];
            snprintf(line, sizeof line, "%s\n", rest);
            say(line);
        } else if (strcmp(*steps, "barrier") == 0) barrier();
        else fail(*steps);
    }
    sleep_for_ever();
}
