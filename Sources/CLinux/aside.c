#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "CLinux.h"

struct errand {
    int directory;
    int report;
    char name[32];
    char text[24];
    struct linux_aside_result result;
};

static void *run(void *argument) {
    struct errand *errand = argument;
    int file = openat(errand->directory, errand->name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t written;
    do written = file < 0 ? -1 : write(file, errand->text, strlen(errand->text));
    while (written < 0 && errno == EINTR);
    errand->result.error = written < 0 ? errno : 0;
    if (file >= 0) close(file);
    // A socket takes so little whole. Where nobody reads any more, nobody wants to know.
    (void)!write(errand->report, &errand->result, sizeof errand->result);
    close(errand->directory);
    close(errand->report);
    free(errand);
    return NULL;
}

int linux_write_aside(int directory, const char *name, const char *text, int report, uint64_t token) {
    struct errand *errand = calloc(1, sizeof *errand);
    if (errand == NULL) return -ENOMEM;
    if (strlen(name) >= sizeof errand->name || strlen(text) >= sizeof errand->text) {
        free(errand);
        return -EINVAL;
    }
    strcpy(errand->name, name);
    strcpy(errand->text, text);
    errand->result.token = token;
    // Copies: ours may be closed, and their numbers used again, before it is done.
    errand->directory = fcntl(directory, F_DUPFD_CLOEXEC, 3);
    errand->report = fcntl(report, F_DUPFD_CLOEXEC, 3);
    int error = errand->directory < 0 || errand->report < 0 ? errno : 0;

    // No signal is for it: they are taken by the loop.
    sigset_t all, mask;
    sigfillset(&all);
    if (error == 0) error = pthread_sigmask(SIG_SETMASK, &all, &mask);
    if (error == 0) {
        pthread_attr_t attributes;
        error = pthread_attr_init(&attributes);
        if (error == 0) {
            // Neither can fail with values that are valid.
            (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
            (void)pthread_attr_setstacksize(&attributes, 64 << 10);
            pthread_t thread;
            error = pthread_create(&thread, &attributes, run, errand);
            (void)pthread_attr_destroy(&attributes);
        }
        (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
    }
    if (error == 0) return 0;
    if (errand->directory >= 0) close(errand->directory);
    if (errand->report >= 0) close(errand->report);
    free(errand);
    return -error;
}
