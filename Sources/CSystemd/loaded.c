#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>

#include "CSystemd.h"

static void *library;

static void load(void) {
    // Never unloaded: it keeps thread-local state.
    library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

static void *find(const char *name) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    // Cannot fail with a control that is initialized.
    (void)pthread_once(&once, load);
    return library == NULL ? NULL : dlsym(library, name);
}

// Hidden, so that the library's calls of its own functions never come here.
#define FORWARD(type, name, parameters, arguments, otherwise)                        \
    __attribute__((visibility("hidden"))) type name parameters {                     \
        type(*function) parameters = (type(*) parameters)find(#name);                \
        if (function == NULL) return otherwise;                                      \
        return function arguments;                                                   \
    }

#define CALL(name, parameters, arguments) FORWARD(int, name, parameters, arguments, -ELIBACC)

#pragma mark - sd_listen_fds(3), sd_notify(3)

CALL(sd_listen_fds_with_names, (int unset, char ***names), (unset, names))
CALL(sd_notify, (int unset, const char *state), (unset, state))
CALL(sd_pid_notify_with_fds, (pid_t pid, int unset, const char *state, const int *descriptors, unsigned count),
     (pid, unset, state, descriptors, count))

#pragma mark - sd-bus(3): connections

CALL(sd_bus_open_system, (sd_bus **bus), (bus))
CALL(sd_bus_new, (sd_bus **bus), (bus))
CALL(sd_bus_set_address, (sd_bus *bus, const char *address), (bus, address))
CALL(sd_bus_set_bus_client, (sd_bus *bus, int is_client), (bus, is_client))
CALL(sd_bus_start, (sd_bus *bus), (bus))
CALL(sd_bus_is_ready, (sd_bus *bus), (bus))
CALL(sd_bus_set_method_call_timeout, (sd_bus *bus, uint64_t microseconds), (bus, microseconds))
CALL(sd_bus_add_match,
     (sd_bus *bus, sd_bus_slot **slot, const char *match, sd_bus_message_handler_t callback, void *argument),
     (bus, slot, match, callback, argument))
CALL(sd_bus_process, (sd_bus *bus, sd_bus_message **message), (bus, message))
CALL(sd_bus_wait, (sd_bus *bus, uint64_t microseconds), (bus, microseconds))
CALL(sd_bus_call,
     (sd_bus *bus, sd_bus_message *message, uint64_t microseconds, sd_bus_error *error, sd_bus_message **reply),
     (bus, message, microseconds, error, reply))
FORWARD(sd_bus *, sd_bus_unref, (sd_bus *bus), (bus), NULL)
FORWARD(sd_bus *, sd_bus_close_unref, (sd_bus *bus), (bus), NULL)
FORWARD(void, sd_bus_error_free, (sd_bus_error *error), (error), )

#pragma mark - sd-bus(3): messages

CALL(sd_bus_message_new_method_call,
     (sd_bus *bus, sd_bus_message **message, const char *destination, const char *path, const char *interface,
      const char *member),
     (bus, message, destination, path, interface, member))
CALL(sd_bus_message_open_container, (sd_bus_message *message, char type, const char *contents),
     (message, type, contents))
CALL(sd_bus_message_close_container, (sd_bus_message *message), (message))
CALL(sd_bus_message_append_basic, (sd_bus_message *message, char type, const void *value), (message, type, value))
CALL(sd_bus_message_read_basic, (sd_bus_message *message, char type, void *value), (message, type, value))
CALL(sd_bus_message_is_signal, (sd_bus_message *message, const char *interface, const char *member),
     (message, interface, member))
FORWARD(sd_bus_message *, sd_bus_message_unref, (sd_bus_message *message), (message), NULL)
