d=$HOME/.advisor
mkdir -p "$d" "$HOME/.ssh" && chmod 700 "$d" "$HOME/.ssh"
k=@KEY@
a=$HOME/.ssh/authorized_keys
touch "$a" && chmod 600 "$a"
[ -z "$k" ] || grep -qxF "$k" "$a" || printf '\n%s\n' "$k" >>"$a"
now=$(date +%s)
# A clock that is far off counts from now; the end stays when the machine restarts.
if [ ! -s "$d/end" ]; then
  end=@END@
  if [ "$now" -lt @EARLIEST@ ] || [ "$now" -gt @LATEST@ ]; then end=$((now + @LIFETIME@)); fi
  echo "$end" >"$d/end.new" && mv "$d/end.new" "$d/end"
fi
touch "$d/heartbeat"
echo @HEARTBEAT@ >"$d/lease"
# What the image sets, for commands that come by ssh: a login has not got it.
(unset @KEYVAR@; export -p) >"$d/environment"
# On a full disk the watchdog of the last start stays.
cat >"$d/new" <<'EOF' && mv "$d/new" "$d/watchdog"
d=$HOME/.advisor
turn=$1
end=$(cat "$d/end")
reason() {
  now=$(date +%s)
  if [ "$now" -ge "$end" ]; then echo "its lifetime is over"; return; fi
  [ @HEARTBEAT@ -eq 0 ] && return
  beat=$(stat -c %Y "$d/heartbeat" 2>/dev/null || echo 0)
  if [ $((now - beat)) -gt @HEARTBEAT@ ]; then echo "no launcher is heard"; fi
}
# The key goes by stdin or a file: the list of processes would show it.
by_curl() {
  printf 'header = "Authorization: Bearer %s"\n' "$@KEYVAR@" |
    curl -sS -m 60 -o /dev/null -w '%{http_code}' -X @METHOD@ \
      -H 'Content-Type: application/json' -d '@BODY@' -K - "$url"
}
by_python3() {
  URL=$url python3 -c 'import os, urllib.error, urllib.request as u
r = u.Request(os.environ["URL"], b"""@BODY@""", {"Content-Type": "application/json",
  "Authorization": "Bearer " + os.environ["@KEYVAR@"]}, method="@METHOD@")
try: print(u.urlopen(r, timeout=60).status)
except urllib.error.HTTPError as e: print(e.code)'
}
by_wget() {
  (umask 077; printf 'header = Authorization: Bearer %s\n' "$@KEYVAR@" >"$d/wgetrc")
  WGETRC=$d/wgetrc wget -q -T 60 -t 1 -O /dev/null --method=@METHOD@ \
    --header='Content-Type: application/json' --body-data='@BODY@' "$url" && echo 200
}
# One that gets no answer, for want of certificates say, leaves it to the next.
ask() {
  url="@URL@"
  for tool in curl python3 wget; do
    command -v $tool >/dev/null || continue
    code=$(by_$tool)
    case $code in [1-9]??) echo "$code"; return ;; esac
  done
}
while [ -z "$(reason)" ]; do
  now=$(cat "$d/turn")
  [ "${now:-$turn}" = "$turn" ] || exit
  sleep @EVERY@
done
echo "$(date -u) released: $(reason)" >>"$d/watchdog.log"
pause=@EVERY@
while :; do
  said=$(ask 2>>"$d/watchdog.log")
  echo "$(date -u) the market says: ${said:-nothing}" >>"$d/watchdog.log"
  case $said in 2?? | 404 | 410) pause=600 ;; *) [ $pause -ge 300 ] || pause=$((pause * 2)) ;; esac
  sleep $pause
done
EOF
# Of several watchdogs the one that was started last goes on.
echo "$now.$$" >"$d/turn"
if command -v setsid >/dev/null; then s=setsid; else s=; fi
$s nohup sh "$d/watchdog" "$now.$$" >/dev/null 2>&1 </dev/null &
