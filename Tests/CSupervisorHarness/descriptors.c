#define _GNU_SOURCE
#include "CSupervisorHarness.h"

#include <errno.h>
#include <sched.h>

int harness_unshare_descriptors(void) { return unshare(CLONE_FILES) == 0 ? 0 : errno; }
