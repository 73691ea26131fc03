#!/usr/bin/env bash
# Tests whether a server stops gracefully: a request that is under way when the signal arrives must be answered in full,
# and the server must then exit with 0. There are two rounds: SIGTERM, as in a deployment, and SIGINT, as by Ctrl-C. It
# works with any server that curl can talk to, and needs only bash and curl.
#
#     test-graceful-shutdown.sh --url URL [--ready URL] [--timeout SECONDS] [--insecure] [--curl ARGUMENT]… -- COMMAND [ARGUMENT…]
#
#     --url URL          a request that takes about two seconds; HTTP/1.1 GET, unless --curl says otherwise
#     --ready URL        a URL that answers 2xx once the server is up; by default, any answer from the root is accepted
#     --timeout SECONDS  how long the start and the stop may each take (30)
#     --insecure         accept any certificate
#     --curl ARGUMENT    an additional argument for the curl that sends the request; a header needs two:
#                        --curl --header --curl 'Authorization: Bearer …'
#     COMMAND            the server. The signal is sent to this process, so name the program itself: with `sh -c` the
#                        shell would get the signal, and with `cargo run` the timeout would include the build
#
# For example:
#
#     cargo build --example go_equivalent
#     examples/test-graceful-shutdown.sh --url 'http://127.0.0.1:8080/slow?ms=2000' -- target/debug/examples/go_equivalent
#
# Exit codes: 0 the server stops gracefully; 1 it does not, or the test could not be carried out; 2 wrong usage, and
# nothing was started. A failure says what was expected and what happened, and shows the output of the server. No
# process is left behind, whatever happens.
#
# The script does not guess when the request is under way: curl has sent it, and the server has read it. On Linux,
# /proc/net/tcp shows that it was read. Elsewhere, the script sends a second request and waits for its answer, since
# connections are accepted in order.

set -euo pipefail

NAME=${0##*/}

say() {
    printf '%s: %s\n' "$NAME" "$*"
}

refuse() {
    say "$*" >&2
    say "usage: $NAME --url URL [--ready URL] [--timeout SECONDS] [--insecure] [--curl ARGUMENT]… -- COMMAND [ARGUMENT…]; --help tells more" >&2
    exit 2
}

# ---- the arguments

url='' ready='' timeout=30 insecure='' more=()
while [ $# -gt 0 ]; do
    option=$1
    shift
    case $option in
        --url | --ready | --timeout | --curl)
            [ $# -gt 0 ] && [ "$1" != -- ] || refuse "$option needs a value"
            case $option in
                --url) url=$1 ;;
                --ready) ready=$1 ;;
                --timeout) timeout=$1 ;;
                --curl) more+=("$1") ;;
            esac
            shift
            ;;
        --insecure) insecure=yes ;;
        --help)
            sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        --) break ;;
        -*) refuse "unknown option '$option'" ;;
        *) refuse "'$option' is no option: the command comes after --" ;;
    esac
done
[ -n "$url" ] || refuse "--url is missing: a request that takes two seconds or so"
[ $# -gt 0 ] || refuse "the command of the server is missing, after --"
[[ $timeout =~ ^[1-9][0-9]{0,4}$ ]] || refuse "--timeout is '$timeout': it is a number of seconds"
address='^(https?)://([^][/:?#@]+|\[[0-9a-fA-F:]+\])(:([0-9]{1,5}))?([/?#]|$)'
[[ -z $ready || $ready =~ $address ]] || refuse "'$ready' is no URL like http://127.0.0.1:8080/"
[[ $url =~ $address ]] || refuse "'$url' is no URL like http://127.0.0.1:8080/slow"
root=${BASH_REMATCH[1]}://${BASH_REMATCH[2]}${BASH_REMATCH[3]}/
case ${BASH_REMATCH[1]}:${BASH_REMATCH[4]} in
    http:) port=80 ;;
    https:) port=443 ;;
    *) port=$((10#${BASH_REMATCH[4]})) ;;
esac
command -v curl >/dev/null || refuse "curl is missing"
command -v -- "$1" >/dev/null || refuse "there is no program '$1'"

# The server would inherit signals that are ignored here, as SIGINT is in a background job of a shell without job
# control. `env` of GNU coreutils (8.31 and later) can undo that.
defaults=()
if env --default-signal=INT true 2>/dev/null; then
    defaults=(env --default-signal)
elif [ -n "$(bash -c 'kill -INT $$; echo ignored' 2>/dev/null)" ]; then
    refuse "SIGINT is ignored here, and the server would inherit that; run this in the foreground"
fi

# ---- the server and the request, from start to end

directory=$(mktemp -d "${TMPDIR:-/tmp}/test-graceful-shutdown.XXXXXX")
server='' request=''

clean_up() {
    [ -z "$request" ] || kill -KILL "$request" 2>/dev/null || :
    # The whole process group: children that the server left behind are killed too.
    [ -z "$server" ] || kill -KILL -- "-$server" 2>/dev/null || :
    wait 2>/dev/null || :
    rm -rf "$directory"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# curl without the user's own settings.
ask() {
    curl -q --noproxy '*' --http1.1 --silent --show-error ${insecure:+--insecure} "$@"
}

has_ended() { # PID
    ! kill -0 "$1" 2>/dev/null
}

# Repeats a command until it succeeds; fails when the deadline has passed.
until_deadline() { # COMMAND…
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.02
    done
}

# Stores the exit code of a process that has ended in `code`.
reap() { # PID
    code=0
    wait "$1" 2>/dev/null || code=$?
}

in_words() { # EXIT CODE
    case $1 in
        129 | 130 | 131 | 134 | 137 | 139 | 143) echo ", as by SIG$(kill -l "$1")" ;;
    esac
}

has_failed=no
complain() { # EXPECTED HAPPENED
    has_failed=yes
    printf '%s: %s: FAILED\n  expected: %s\n  happened: %s\n' "$NAME" "SIG$signal" "$1" "$2" >&2
}

give_up() {
    printf '  the server has printed:\n' >&2
    sed 's/^/    | /' "$directory/server" >&2
    exit 1
}

fail() { # EXPECTED HAPPENED
    complain "$@"
    give_up
}

start() {
    # With job control, the server has a process group of its own and does not ignore SIGINT.
    set -m
    ${defaults[@]+"${defaults[@]}"} "$@" </dev/null >"$directory/server" 2>&1 &
    server=$!
    set +m
    say "SIG$signal: started $1 (pid $server)"
}

answers() {
    local left=$((deadline - SECONDS))
    ask ${ready:+--fail} --max-time $((left > 0 ? left : 1)) --output "$directory/ready" "${ready:-$root}" 2>"$directory/why"
}

is_up() {
    if has_ended "$server"; then
        reap "$server"
        fail "the server to answer" "it ended with exit code $code"
    fi
    answers
}

send() {
    ask --verbose --max-time "$((2 * timeout))" --output "$directory/body" \
        --write-out '%{http_code} %{size_download}' ${more[@]+"${more[@]}"} "$url" >"$directory/answer" 2>"$directory/curl" &
    request=$!
}

# The sockets at both ends of connections to the server's port, as listed by Linux, with the port in hexadecimal:
# number, local address, remote address, state (01 is established), bytes unsent:unread, four more fields, inode (0
# means not accepted yet).
hexadecimal=$(printf %04X "$port")
sockets() {
    grep -hs ":$hexadecimal " /proc/net/tcp /proc/net/tcp6 || :
}

# Whether curl has sent the request, and all of it has arrived at the other end.
is_sent() {
    has_ended "$request" && return
    grep -qs '^> ' "$directory/curl" || return 1
    local remote state queues
    while read -r _ _ remote state queues _; do
        [ "$state:${remote##*:}" != "01:$hexadecimal" ] || [ "${queues%:*}" = 00000000 ] || return 1
    done < <(sockets)
}

# Whether the server has accepted the connection, and read everything that was sent.
is_read() {
    has_ended "$request" && return
    local here state queues inode is_visible=no
    while read -r _ here _ state queues _ _ _ _ inode _; do
        if [ "$state:${here##*:}" = "01:$hexadecimal" ]; then
            is_visible=yes
            [ "${queues#*:}" = 00000000 ] && [ "$inode" != 0 ] || return 1
        fi
    done < <(sockets)
    [ $is_visible = yes ] || answers
}

round() { # SIGNAL COMMAND…
    signal=$1
    shift
    deadline=$((SECONDS + timeout + 1)) # SECONDS is rounded down
    start "$@"
    until_deadline is_up ||
        fail "an answer from ${ready:-$root} within $timeout s" "$(grep '^curl: ' "$directory/why")"

    send
    until_deadline is_sent && until_deadline is_read ||
        fail "the server to read the request within $timeout s of its start" "it has not"

    say "SIG$signal: the request is under way; sending the signal"
    deadline=$((SECONDS + timeout + 1)) # SECONDS is rounded down
    local began=$SECONDS was_early=no
    if ! kill -s "$signal" "$server" 2>/dev/null; then
        reap "$server"
        fail "the server to be there for the signal" "it ended before, with exit code $code"
    fi
    ! has_ended "$request" || was_early=yes

    local status='' size=''
    if until_deadline has_ended "$request"; then
        reap "$request"
        read -r status size <"$directory/answer" || :
        if [ $code != 0 ]; then
            complain "the request that was under way to be answered in full" \
                "$(grep '^curl: ' "$directory/curl" || echo "curl ended with $code")"
        elif [[ $status != 2* ]]; then
            complain "the request that was under way to be answered with 2xx" "it was answered with $status"
        elif [ $was_early = yes ]; then
            complain "the request to be under way when the signal is sent" \
                "it was answered before; give --url one that takes longer"
        fi
    else
        complain "the request that was under way to be answered within $timeout s" "it has no complete answer"
    fi

    if until_deadline has_ended "$server"; then
        reap "$server"
        [ $code = 0 ] || complain "the server to end with exit code 0" "it ended with $code$(in_words $code)"
    else
        complain "the server to end within $timeout s of the signal" "it is still there"
    fi
    [ $has_failed = no ] || give_up
    say "SIG$signal: ok: answered with $status, $size bytes; exit code 0 within $((SECONDS - began + 1)) s"
    kill -KILL -- "-$server" 2>/dev/null || :
    server='' request=''
}

! ask --output "$directory/ready" --max-time 5 "$root" 2>/dev/null ||
    refuse "something answers at $root already, and would be tested in place of the server"
for signal in TERM INT; do
    round $signal "$@"
done
