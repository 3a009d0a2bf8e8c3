// Modes of the test worker that are about memory; see the table in main.c.

int mode_flood(char **arguments);
int mode_spike(char **arguments);
int mode_hold(char **arguments);
int mode_breed(char **arguments);
int mode_stream(char **arguments);
int mode_trade_cache(char **arguments);
