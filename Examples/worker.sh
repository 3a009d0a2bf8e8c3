#!/bin/sh
# Any program is a worker. On SIGTERM this one finishes the piece of work at hand, then ends.
stop=
trap 'stop=yes' TERM

while [ -z "$stop" ]; do
    sleep 1 # the work; the shell runs the trap when it is done
done
echo "${SERGEANT_WORKER:-worker}: finished its work and stopped"
