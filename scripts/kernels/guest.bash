# What every guest kernel's script does alike; sourced, never run. A script sets `guest_name` first,
# starts its guest with setsid, its process id in `guest`, and gives it the state directory, where it finds
#   command, environment    NUL-terminated: the working directory and the words; NAME=VALUE
# and where it leaves
#   started, status         once the command runs; the command's exit status
#   console                 what the kernel says, shown where there is no status

memory=${SERGEANTCG_KERNEL_MEMORY:-2G}
limit=${SERGEANTCG_KERNEL_TIMEOUT:-1800}

say() { printf '%s: %s\n' "$guest_name" "$*" >&2; }
refuse() {
    say "$*"
    exit 69
}

check_settings() {
    [[ $memory =~ ^[0-9]+[MG]$ ]] || refuse "SERGEANTCG_KERNEL_MEMORY=$memory is not a size such as 2G or 512M"
    [[ $limit =~ ^[0-9]+$ ]] || refuse "SERGEANTCG_KERNEL_TIMEOUT=$limit is not a number of seconds"
}

guest=
kill_guest() { [ -z "$guest" ] || kill -KILL -- "-$guest" 2>/dev/null; }
tidy() {
    kill_guest
    rm -rf -- "$state"
}

# Makes `state`, with the command and its environment in it.
make_state() {
    # The guest hides /dev, /run, /proc and /sys; the state must be where it can see it.
    local state_parent
    state_parent=$(readlink -f -- "${TMPDIR:-/tmp}")
    [[ $state_parent/ =~ ^/(dev|run|proc|sys)/|[[:space:],] ]] && state_parent=/tmp
    state=$(mktemp -d "$state_parent/sergeantcg-$guest_name.XXXXXX") || exit 70
    chmod 755 "$state"
    trap tidy EXIT
    trap 'kill_guest; exit 129' HUP
    trap 'kill_guest; exit 130' INT
    trap 'kill_guest; exit 143' TERM
    ln -s "$(cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd)" "$state/kernels"
    (
        umask 077
        printf '%s\0' "$PWD" "$@" >"$state/command"
        while IFS= read -rd '' variable; do
            case $variable in
            # What speaks of this machine's systemd, session or terminal means nothing in the guest.
            NOTIFY_SOCKET=* | WATCHDOG_* | LISTEN_* | INVOCATION_ID=* | JOURNAL_STREAM=* | MAINPID=*) ;;
            SYSTEMD_* | XDG_RUNTIME_DIR=* | XDG_SESSION_* | DBUS_* | SSH_* | SHLVL=* | OLDPWD=* | _=*) ;;
            TMPDIR=* | TMP=* | TEMP=* | SERGEANTCG_DISK_DIRECTORY=*) ;;
            *) printf '%s\0' "$variable" ;;
            esac
        done < <(env -0) >"$state/environment"
    )
}

# The guest sets O_NONBLOCK on what it is given, so it gets pipes of its own, never our stdout:
# `stdout_line`, `stderr_line` and `console`.
open_lines() {
    exec {stdout_line}> >(trap '' HUP INT TERM; exec cat)
    stdout_copy=$!
    exec {stderr_line}> >(trap '' HUP INT TERM; exec cat >&2)
    stderr_copy=$!
    exec {console}> >(trap '' HUP INT TERM; exec cat >"$state/console" 2>/dev/null)
    console_copy=$!
}
close_lines() { exec {stdout_line}>&- {stderr_line}>&- {console}>&-; }

# Ends the guest when its time is up, and when the script is gone without having said so (SIGKILL).
watch() {
    trap '' HUP INT TERM
    local boot_limit=$1 first=$1
    [ "$first" -le "$limit" ] || first=$limit
    local phase=boot seconds=$first
    while :; do
        read -rt "$seconds"
        case $? in
        0) return ;;
        1)
            tidy
            return
            ;;
        esac
        if [ "$phase" = run ] || [ "$limit" -le "$first" ]; then
            echo "it ran for more than $limit seconds" >"$state/gave-up"
        elif [ ! -e "$state/started" ]; then
            echo "it took more than $boot_limit seconds to boot" >"$state/gave-up"
        else
            phase=run seconds=$((limit - first))
            continue
        fi
        kill_guest
        return
    done
}

# Waits for the guest, which has so many seconds to boot, and exits with the command's status.
wait_for_guest() {
    local watch_line guest_status status reason
    exec {watch_line}> >(watch "$1" >/dev/null 2>&1)
    { wait "$guest"; } 2>/dev/null
    guest_status=$?
    kill_guest
    trap "" PIPE # the watch may have ended
    { echo ended >&"$watch_line"; } 2>/dev/null
    wait "$stdout_copy" "$stderr_copy" "$console_copy"

    if [ -s "$state/status" ]; then
        read -r status <"$state/status"
        exit "$status"
    fi
    if [ -s "$state/gave-up" ]; then
        read -r reason <"$state/gave-up"
    else
        reason="it ended by itself (status $guest_status)"
    fi
    say "the guest kernel gave no exit status: $reason. The end of its console:"
    tail -n 20 "$state/console" | tr -d '\r' | sed 's/^/    /' >&2
    exit 70
}
