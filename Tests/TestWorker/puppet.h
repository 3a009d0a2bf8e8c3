// Does what it is told while it runs; see the table in puppet.c.

int mode_puppet(char **arguments);
