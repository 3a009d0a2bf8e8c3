// What is used of libsystemd, by the names and with the promises of its own headers: sd_listen_fds_with_names(3),
// sd_notify(3), sd-bus(3).
//
// The library is loaded at the first call, for most supervisors make none: they are spared it and the six libraries that it
// needs, and run where there is none. Where it cannot be loaded, or lacks a function, a call returns -ELIBACC, and one that
// takes something back does nothing.
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
