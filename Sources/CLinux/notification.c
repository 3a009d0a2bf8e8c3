#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "CLinux.h"

enum { most_descriptors = 253 };  // SCM_MAX_FD of the kernel

ssize_t linux_receive_notification(int socket, void *buffer, size_t size, pid_t *sender,
                                   struct linux_notification_extras *extras) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(most_descriptors * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = buffer, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t count;
    do count = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (count < 0) return -errno;

    *sender = 0;
    *extras = (struct linux_notification_extras){
        .is_truncated = (message.msg_flags & MSG_TRUNC) != 0,
        .lost_descriptors = (message.msg_flags & MSG_CTRUNC) != 0};
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part != NULL; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET) continue;
        if (part->cmsg_type == SCM_CREDENTIALS && part->cmsg_len >= CMSG_LEN(sizeof(struct ucred))) {
            struct ucred credentials;
            memcpy(&credentials, CMSG_DATA(part), sizeof credentials);
            *sender = credentials.pid;
        }
        if (part->cmsg_type == SCM_RIGHTS) {
            size_t received = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < received; i++) {
                int descriptor;
                memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
                // It is open, so that nothing but EIO of its file can come; it is closed all the same (close(2)).
                (void)close(descriptor);
            }
            extras->descriptor_count += (unsigned)received;
        }
    }
    return count;
}
