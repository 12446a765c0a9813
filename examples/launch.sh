#!/usr/bin/env bash
# Rent a machine, run one command on it by ssh, give it back whatever happens.
#   ./launch.sh --workload resnet50 --max-epoch-cost 0.40 --budget 30 -- nvidia-smi
# Ends with the command's exit code, or with that of 'advisor rent' if there is no machine.
set -euo pipefail

options=()
while [[ $# -gt 0 && $1 != -- ]]; do
  options+=("$1")
  shift
done
if [[ $# -lt 2 ]]; then
  echo "usage: $0 OPTIONS OF ADVISOR RENT -- COMMAND ..." >&2
  exit 2
fi
shift

job=launch-$(date +%s)-$$ # to release by, even if we never learn the instance's id
known_hosts=$(mktemp)
left=nothing

clean_up() {
  local status=$?
  trap '' INT TERM HUP # releasing is not to be interrupted
  rm -f "$known_hosts"
  case $left in
    machine)
      advisor release --job "$job" --yes || {
        echo "$0: not released: 'advisor rentals' shows what there is" >&2
        [[ $status -ne 0 ]] || status=7
      }
      ;;
    unknown) # looks within five minutes tell whether there is anything
      for pause in 0 65 120 120; do
        sleep "$pause"
        if advisor reconcile >&2; then exit "$status"; fi
      done
      echo "$0: still not known: run 'advisor reconcile' until it ends with 0" >&2
      ;;
  esac
  exit "$status"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

left=machine
status=0
answer=$(advisor rent "${options[@]}" --job "$job" --wait --yes --json) || status=$?
case $status in
  0) ;;
  2 | 4) left=nothing ;; # a wrong option, a wrong key: stderr says which
  3) left=nothing && echo "$0: nothing fits: allow more, or try later" >&2 ;;
  5) left=nothing && echo "$0: asked too often: wait before you try again" >&2 ;;
  6) left=nothing && echo "$0: over budget: raise it, or wait for cheaper offers" >&2 ;;
  *) left=unknown && echo "$0: something may be rented: looking" >&2 ;; # 7, or a crash
esac
if [[ $status -ne 0 ]]; then exit "$status"; fi

read -r id host port key < <(python3 -c '
import json, sys
rented = json.load(sys.stdin)
ssh = rented["ssh"]
print(rented["instance_id"], ssh["host"], ssh["port"], ssh["key_file"])
' <<<"$answer")
echo "$0: instance $id at $host:$port, job $job" >&2

ssh -i "$key" -p "$port" -o BatchMode=yes -o LogLevel=ERROR -o StrictHostKeyChecking=accept-new \
  -o UserKnownHostsFile="$known_hosts" -o ServerAliveInterval=30 \
  "root@$host" "$(printf '%q ' "$@")"
