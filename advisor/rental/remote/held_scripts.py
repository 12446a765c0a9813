"""Shell scripts of a command that is held: one at a time, and only while we are heard.

For any POSIX shell; files and their meaning are those of
`advisor.rental.remote.held_job`. Each follows lines that set its variables: ``d``
(`advisor.rental.remote.job_scripts.FOLDER`) and ``l`` (`LOCK`) for all; ``lease``,
``asked_boot`` and ``asked`` for the keeper; ``lease`` and ``every`` for the warden; the
texts ``command``, ``keeper`` and ``warden`` for the start.
"""

from __future__ import annotations

from advisor.rental.remote.job_scripts import HOLDING, IDENTITY, KILLS, SHORTEN

LOCK = 'l="$HOME/.advisor/locks/{lock}"\n'

# A process is of an attempt if it has its mark among its variables, its file open, or is
# of its session: whoever clears his variables has the session, whoever leaves that has
# the file. A session whose number another process has by now is over.
MEMBERS = (
    HOLDING
    + """\
in_session() {
  read -r its_boot its_sid its_begin 2>/dev/null <"$1" && [ "$its_boot" = "$boot" ] &&
    { ! began_at "$its_sid" || [ "$began" = "$its_begin" ]; } || return
  grep -ls "^[0-9]* (.*) [^XZ] [0-9]* [0-9]* $its_sid " /proc/[0-9]*/stat
}
with_file() {
  for file in /proc/[0-9]*/fd/8; do
    [ "$file" -ef "$1" ] && echo "$file"
  done
}
members() {
  { holding environ "_ADVISOR_JOB=$d/"
    with_file "$d/child"
    in_session "$d/child"
  } | while IFS=/ read -r none proc id file; do echo "$id"; done
}
"""
)

# What is asked once to end (a second time may mean more) is killed after ten seconds, and
# given up after ten more. The keeper notes how its command ended; it is killed last.
END = """\
is_kept() { [ ! -e "$d/exit" ] && is_alive; }
is_left() { left=$(members) && { [ -n "$left" ] || $1; }; }
tell_up() { read -r up idle </proc/uptime && up=${up%.*}; }
end_all() {
  told=' '
  tell_up
  since=$up
  while is_left $1 && tell_up && [ $((up - since)) -lt 10 ]; do
    for id in $left; do
      case $told in *" $id "*) continue ;; esac
      kill -TERM "$id"
      told="$told$id "
    done
    sleep 0.2
  done 2>/dev/null
  tell_up
  since=$up
  while is_left $1; do
    tell_up && [ $((up - since)) -lt 10 ] || return 1
    kill -KILL $left
    [ $((up - since)) -lt 3 ] || ! $1 || kill -KILL "$its_id"
    sleep 0.2
  done 2>/dev/null
}
"""

EARLIER = "an earlier attempt of it"
"""Is in what a machine says where it starts nothing since an earlier attempt lives."""

# Whoever is late does not begin: the launcher counts on that when it gives the command
# to another machine. The lock (9) and the file (8) are inherited by all that it starts;
# what an earlier attempt left without them has its mark or its session.
KEEPER = (
    IDENTITY
    + SHORTEN
    + MEMBERS
    + END
    + """\
trap '' HUP
refuse() { echo "$1" >"$d/refused.$$" && mv "$d/refused.$$" "$d/refused"; exit; }
command exec 9>>"$l" || refuse 'its lock cannot be opened'
tries=10
until flock -n 9; do
  [ ! -e "$d/owner" ] || exit
  [ $tries -gt 0 ] || refuse 'an earlier attempt of it still runs there'
  sleep 0.1
  tries=$((tries - 1))
done
[ -z "$(holding environ "_ADVISOR_LOCK=$l/"; in_session "$l")" ] ||
  refuse 'what an earlier attempt of it started still runs there'
tell_up
age=$((up - asked))
[ "$boot" = "$asked_boot" ] && [ $age -ge 0 ] && [ $age -le $lease ] ||
  refuse 'it was asked for too long ago'
began_at $$
seen=$(stat -c %Y "$HOME/.advisor/heartbeat" 2>/dev/null)
echo "$boot $$ $began" >"$d/owner.$$" && echo '   ' >"$d/exit.$$" &&
  echo >"$d/lapsed.$$" && echo "$asked $seen" >"$d/heard.$$" ||
  refuse 'its disk is full'
ln "$d/owner.$$" "$d/owner" 2>/dev/null || {
  rm -f "$d/owner.$$" "$d/exit.$$" "$d/lapsed.$$" "$d/heard.$$"
  exit
}
mv "$d/lapsed.$$" "$d/unlapsed" && mv "$d/heard.$$" "$d/heard"
(exec 9>&- && shorten) >/dev/null 2>&1 </dev/null &
apart=$(command -v setsid)
$apart sh "$d/warden" >/dev/null 2>&1 </dev/null 9>&- &
(_ADVISOR_JOB=$d/ _ADVISOR_LOCK=$l/ exec $apart sh "$d/command" \\
  >>"$d/log" 2>&1 </dev/null 8>>"$d/child")
code=$?
until end_all false; do sleep 1; done
printf '%3d\\n' $code 1<>"$d/exit.$$"
mv "$d/exit.$$" "$d/exit"
"""
)

# Two processes, each of which begins the other anew, as those of the watchdog; one of
# them is no shell where there is an awk. Its count outlives it: it is noted in place,
# which a full disk permits; the first line counts. That it ended the command is noted by
# another name of a file which is there, for the same reason.
WARDEN = (
    IDENTITY
    + MEMBERS
    + END
    + """\
trap '' HUP TERM
keep() {
  { echo -999 >/proc/$$/oom_score_adj; } 2>/dev/null
  export W="$0" K=$$
  command -v awk >/dev/null &&
    exec awk 'BEGIN { while (system("exec sh \\"$W\\"") != 77) system("sleep 1") }'
  until sh "$W"; [ $? = 77 ]; do sleep 1; done
  exit
}
[ "$K" = $PPID ] || keep
read -r heard seen <"$d/heard"
while is_kept || [ -n "$(members)" ]; do
  read -r pid name state parent rest </proc/$$/stat
  [ "$parent" = "$K" ] || keep
  tell_up
  now=$(stat -c %Y "$HOME/.advisor/heartbeat" 2>/dev/null)
  if [ "$now" != "$seen" ]; then
    heard=$up seen=$now
    echo "$heard $seen" 1<>"$d/heard"
  fi
  if [ $((up - heard)) -gt $lease ]; then
    [ -e "$d/exit" ] || mv "$d/unlapsed" "$d/lapsed"
    until end_all is_kept; do sleep 1; done
  fi
  sleep $every
done
exit 77
"""
)

START = (
    KILLS
    + """\
[ ! -e "$d/owner" ] || exit 0
command -v flock >/dev/null || {
  echo 'its image has no flock (Debian: util-linux)' >&2
  exit 1
}
umask 077
mkdir -p "$d" "${l%/*}" && : >>"$d/log" && rm -f "$d/refused" || exit
put() { printf '%s' "$2" >"$d/$1.$$" && mv "$d/$1.$$" "$d/$1"; }
put command "$command" && put keeper "$keeper" && put warden "$warden" &&
  put kills "$(kills)" || exit
keep="sh"
command -v nohup >/dev/null && keep="nohup $keep"
command -v setsid >/dev/null && keep="setsid $keep"
$keep "$d/keeper" </dev/null >/dev/null 2>&1 &
for try in 1 2 3 4 5 6 7 8 9 10; do
  [ ! -e "$d/owner" ] || exit 0
  [ ! -e "$d/refused" ] || break
  sleep 0.$try
done
# Of two who start it at once one may be refused what the other one does.
sleep 0.3
[ ! -e "$d/owner" ] || exit 0
cat "$d/refused" >&2 || echo 'its keeper does not start' >&2
exit 1
"""
)

# Before the command itself: its session is known before anything of it runs.
ENTER = (
    IDENTITY
    + """\
began_at $$
echo "$boot $$ $began" >"${_ADVISOR_JOB%/}/child" &&
  echo "$boot $$ $began" >"${_ADVISOR_LOCK%/}" || exit 126
unset boot began stat
"""
)

STATE = (
    IDENTITY
    + MEMBERS
    + END
    + """\
[ -e "$d/owner" ] || { echo not_started $(head -c 200 "$d/refused" 2>/dev/null); exit; }
! is_kept || { echo running; exit; }
how=lost
[ ! -e "$d/exit" ] || how="ended $(cat "$d/exit")"
[ ! -e "$d/lapsed" ] || how=lapsed
[ -e "$d/exit" ] || [ -z "$(members)" ] || how=orphaned
echo $how
"""
)

# What was not started by now never will be: its owner is nobody.
STOP = (
    IDENTITY
    + MEMBERS
    + END
    + """\
umask 077
mkdir -p "$d" && : >>"$d/log" || exit
if [ ! -e "$d/owner" ]; then
  echo 'stopped 0 0' >"$d/owner.$$" || exit
  ln "$d/owner.$$" "$d/owner" 2>/dev/null
  rm -f "$d/owner.$$"
  [ -e "$d/owner" ] || exit
fi
end_all is_kept || { echo 'some of it cannot be killed' >&2; exit 1; }
"""
)

MOMENT = """\
read -r boot </proc/sys/kernel/random/boot_id && read -r up idle </proc/uptime &&
  echo "$boot ${up%.*} $HOME"
"""
