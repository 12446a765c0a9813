d=$HOME/.advisor
mkdir -p "$d" "$HOME/.ssh" && chmod 700 "$d" "$HOME/.ssh"
k=@KEY@
a=$HOME/.ssh/authorized_keys
touch "$a" && chmod 600 "$a"
[ -z "$k" ] || grep -qxF "$k" "$a" || printf '\n%s\n' "$k" >>"$a"
echo @END@ >"$d/end"
touch "$d/heartbeat"
echo @HEARTBEAT@ >"$d/lease"
# What the image sets, for commands that come by ssh: a login has not got it.
(unset @KEYVAR@; export -p) >"$d/environment"
# On a full disk the watchdog of the last start stays.
cat >"$d/new" <<'EOF' && mv "$d/new" "$d/watchdog"
trap '' HUP TERM
d=$HOME/.advisor
# Two processes: this shell and, above it, one that is no shell where there is an awk
# and begins it anew whatever killed it. 77: a later start goes on.
keep() {
  { echo -999 >/proc/$$/oom_score_adj; } 2>/dev/null
  export K=$$
  command -v awk >/dev/null &&
    exec awk 'BEGIN { while (system("exec sh \"$W\"") != 77) system("sleep 1") }'
  until sh "$W"; [ $? = 77 ]; do sleep 1; done
  exit
}
[ "$K" = $PPID ] || keep
# Seconds that are left by the uptime alone (up) and by the best that is known (left),
# that no launcher was heard (quiet): counted by the uptime, which nobody sets. They are
# noted in place, which a full disk permits; the first line counts.
tick() {
  read -r n x </proc/uptime || n=$(date +%s)
  n=${n%.*}
  e=$((n - ${t:-$n}))
  [ $e -ge 0 ] || e=0
  t=$n up=$((up - e)) left=$((left - e)) quiet=$((quiet + e))
  s=$(stat -c %Y "$d/heartbeat" 2>&1)
  [ "$s" = "$seen" ] && [ ! -e "$d/keep" ] || quiet=0
  seen=$s
  echo "$boot $t $up $left $quiet $s" 1<>"$d/left"
}
# Reads the head of an answer; prints its status, and its date in seconds since 1970.
heard() {
  IFS=': '
  code= at=
  while read -r a b c; do
    case $a in
    HTTP/*) code=$b ;;
    [Dd]ate) case $c in
      [0-3][0-9]\ [A-Z][a-z][a-z]\ 20[0-9][0-9]\ [0-2][0-9]:[0-5][0-9]:[0-6][0-9]\ GMT*)
        at=$c ;;
      esac ;;
    esac
  done
  set -- $at
  m=JanFebMarAprMayJunJulAugSepOctNovDec
  m=${m%%"$2"*}
  m=$((${#m} / 3))
  # Years begin in March: the day that some of them have more is their last one.
  at=
  if [ $# -gt 5 ] && [ $m -lt 12 ]; then
    m=$(((m + 10) % 12))
    y=$(($3 - m / 10))
    at=$((365 * y + y / 4 + (153 * m + 2) / 5 + 1$1 - 719584))
    at=$((at * 86400 + 1$4 * 3600 + 1$5 * 60 + 1$6 - 366100))
  fi
  echo $code $at
}
# The key goes by stdin or a file: the list of processes would show it. It follows no
# redirect. $1: the method; none: only to hear what time it is.
by_curl() {
  printf 'header = "Authorization: Bearer %s"\n' "$@KEYVAR@" |
    curl -q -sS -m 30 -o /dev/null -D - -w 'HTTP/ %{http_code}\n' -K - "$url" \
      ${1:+-X $1 -H 'Content-Type: application/json' -d '@BODY@'}
}
by_python3() {
  M=$1 URL=$url python3 -c 'import os, urllib.request as u
class N(u.HTTPErrorProcessor): http_response = https_response = lambda *a: a[2]
e = os.environ
m = e["M"]
r = u.Request(e["URL"], b"""@BODY@""" if m else None, {"Content-Type":
  "application/json", "Authorization": "Bearer " + e["@KEYVAR@"]}, method=m or "GET")
r = u.build_opener(N).open(r, timeout=30)
print("HTTP/", r.status, "\nDate:", r.headers["Date"])'
}
by_wget() {
  (umask 077; printf 'header = Authorization: Bearer %s\n' "$@KEYVAR@" 1<>"$d/wgetrc")
  WGETRC=$d/wgetrc wget -qS -T 30 -t 1 --max-redirect=0 -O /dev/null "$url" 2>&1 \
    ${1:+--method=$1 --header='Content-Type: application/json' --body-data='@BODY@'}
}
# One that is not there or gets no answer, for want of certificates say, leaves it to the
# next.
ask() {
  url="@URL@"
  for tool in curl python3 wget; do
    said=$(by_$tool $1 | heard)
    case $said in [1-9]??*) echo "$said"; return ;; esac
  done
}
# What is left by the market's time. Where that cannot be had, after a start of the
# machine, by its own clock, if that can be right.
fix() {
  asked=$t
  set -- $(ask 2>/dev/null)
  tick
  if [ "${2:-0}" -ge @EARLIEST@ ] && [ $2 -le @LATEST@ ]; then
    left=$((@END@ - $2))
  elif [ "$was" != "$boot" ]; then
    n=$((@END@ - $(date +%s)))
    [ $n -lt 0 ] || [ $n -gt $left ] || left=$n
  fi
  [ $left -le $up ] || left=$up
  was=$boot
}
over() {
  why='no launcher is heard'
  [ @HEARTBEAT@ -gt 0 ] && [ $quiet -gt @HEARTBEAT@ ] && return
  why='its lifetime is over'
  # One answer may be wrong.
  [ $left -gt 0 ] || [ $up -le 0 ] || fix
  [ $left -le 0 ]
}
boot=x was= t= up= seen=
read -r boot </proc/sys/kernel/random/boot_id
read -r was t up left quiet seen <"$d/left"
[ "$was" = "$boot" ] || t=
[ "${t:-0}" -ge 0 ] && [ "$left" -le "$up" ] && [ "$quiet" -ge 0 ] ||
  { t= up=@LIFETIME@ left=$up quiet=0; }
tick
fix
pause=@EVERY@
while :; do
  now=$(cat "$d/turn")
  [ "${now:-$R}" = "$R" ] || exit 77
  read -r x x x x_ x </proc/$$/stat
  [ "$x_" = "$K" ] || keep
  [ $((t - asked)) -lt @AGAIN@ ] || fix
  if over; then
    said=$(ask @METHOD@ 2>>"$d/watchdog.log")
    echo "$(date -u) $why; the market says: ${said:-nothing}" >>"$d/watchdog.log"
    case $said in
    2* | 404* | 410*) pause=600 ;;
    *) [ $pause -ge 300 ] || pause=$((pause * 2)) ;;
    esac
  fi
  sleep $pause
  tick
done
EOF
# Of several watchdogs the one that was started last goes on.
export W="$d/watchdog" R=$(date +%s).$$
echo $R >"$d/turn"
# Until it is two, it goes by no name that a job might kill.
$(command -v setsid) sh -c '. "$W"' >/dev/null 2>&1 </dev/null &
