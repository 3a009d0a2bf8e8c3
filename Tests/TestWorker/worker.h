// What all modes of the test worker use.

// Says what could not be done and ends the process.
void fail(const char *what);
// One write(2), so that lines of several processes never mix.
void say(const char *text);
// A number, or a size with K, M or G behind it.
long long number(const char *text);
void pause_milliseconds(long long milliseconds);
_Noreturn void sleep_for_ever(void);
