// Speaks sd_notify(3) by hand: each word is a step, and after the last it sleeps.
//   say:TEXT          a datagram; `;` in TEXT ends a line
//   child:TEXT        the same from a child that has ended before anyone can look
//   elsewhere:PATH:TEXT  to another's socket
//   descriptors:N:TEXT   with N descriptors
//   bytes:N           N bytes of garbage
//   flood:N:TEXT      N times, dropping what does not fit
//   every:MILLISECONDS:TEXT  again and again, for ever
//   barrier           BARRIER=1 with a pipe; says `barrier` on stdout when the other end has closed it
//   print:TEXT        a line on stdout
int mode_notify(char **steps);
