#!/bin/sh
# A worker in a shell: it serves two actions over nc and answers the calls that come.
#
#   stentor token --sub greeter --role service     prints a token as the last word
#   TOKEN=eyJ… sh examples/worker.sh 127.0.0.1 5000
#
# Then anybody who is logged in may say, for instance in another nc:
#   {"type":"data_request","resource":"greeting"}
#   {"type":"command","command":"fail"}
#
# Each line that comes is one JSON object, whatever a user put into it, and a quote inside a string is
# escaped. So the shell can cut a field out; a worker in another language reads JSON properly.
set -eu
host=${1:-127.0.0.1} port=${2:-5000}
: "${TOKEN:?set it to a token of role service}"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkfifo "$folder/say"

say() { printf '%s\n' "$1" >&3; }

# What follows the first "$2":" in $1, up to the next quote: our fields come before the user's params.
first() { rest=${1#*"\"$2\":\""} && printf '%s' "${rest%%\"*}"; }
# The same for the last one: `user` comes behind them.
last() { rest=${1##*"\"$2\":\""} && printf '%s' "${rest%%\"*}"; }

answer() {
  call=$(first "$1" call_id) user=$(last "$1" username)
  case $(first "$1" kind):$(first "$1" name) in
  data_request:greeting) result="\"status\":\"ok\",\"data\":{\"greeting\":\"hello $user\"},\"cache_ttl_ms\":60000" ;;
  *) result="\"status\":\"error\",\"message\":\"as you wish, $user\"" ;;
  esac
  say "{\"type\":\"call_result\",\"call_id\":\"$call\",$result}"
}

# What is written to the pipe goes to the server; what the server says comes in lines.
nc "$host" "$port" <"$folder/say" | {
  exec 3>"$folder/say"
  say "{\"type\":\"auth\",\"token\":\"$TOKEN\"}"
  say '{"type":"serve","actions":["data_request:greeting","command:fail"]}'
  # nc finds out that a server was killed only when it has something to send.
  while sleep 30 >/dev/null 2>&1 3>&-; do say '{"type":"heartbeat"}'; done &
  pulse=$!
  while IFS= read -r line; do
    case $line in
    '{"type":"call",'*) answer "$line" ;;
    '{"type":"serve","status":"ok"'*) echo serving ;;
    '{"type":"bye"'*) printf '%s\n' "$line" >&2 && break ;;
    *'"status":"error"'*) printf '%s\n' "$line" >&2 ;;
    esac
  done
  kill "$pulse"
}
