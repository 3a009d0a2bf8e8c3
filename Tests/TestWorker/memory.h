// Modes of the test worker that are about memory; see the table in main.c.

#include <stddef.h>

// So much memory, anonymous and written to: a compiler drops a memset(3) that nobody reads.
char *take(size_t size);

int mode_flood(char **arguments);
int mode_spike(char **arguments);
int mode_hold(char **arguments);
int mode_breed(char **arguments);
int mode_stream(char **arguments);
int mode_trade_cache(char **arguments);
