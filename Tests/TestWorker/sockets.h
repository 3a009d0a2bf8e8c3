// The modes that serve or use listening sockets.

int mode_serve(char **arguments);
int mode_connect(char **arguments);
