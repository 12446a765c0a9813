"""Shell scripts by which a command on a machine is begun, watched and ended.

For any POSIX shell; files and their meaning are those of `advisor.rental.remote.job`.
"""

from __future__ import annotations

# A process is the same one if the machine has not booted since and it began when that
# one began: process ids come again, in a container that is started anew at once.
IDENTITY = """\
began_at() {
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  set -- ${stat##*) }
  [ "$1" != Z ] && began=${20}
}
boot=
read -r boot </proc/sys/kernel/random/boot_id
is_alive() {
  read -r its_boot its_id its_begin <"$d/owner" && [ "$its_boot" = "$boot" ] &&
    began_at "$its_id" && [ "$began" = "$its_begin" ]
}
"""

# What grep of busybox sees of a line ends with its first text: the other ones, of which
# `environ` and `cmdline` of a process are made, are lines of their own for it.
HOLDING = """\
holding() {
  if printf 'a\\0b' | grep -qF b; then
    grep -lsF "$2" /proc/[0-9]*/"$1"
    return
  fi
  for file in /proc/[0-9]*/"$1"; do
    tr '\\0' '\\n' <"$file" | grep -qF "$2" && echo "$file"
  done 2>/dev/null
}
"""

# The container's own counter (version 2 of cgroups, else 1); the kernel's messages are of
# the whole host. Prints nothing where there is none.
KILLS = """\
kills() {
  cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null |
    sed -n 's/^oom_kill \\([0-9]\\{1,9\\}\\)$/\\1/p' | head -n 1
}
"""

# A command that prints without end must not fill the disk, where its results go, too.
# What was printed long ago is given back to the disk as a hole, so that the rest stays
# where it is; where none can be made the log begins anew with its last part. The log is
# added to (O_APPEND), so that the command goes on at its end.
SHORTEN = """\
shorten() {
  most=$(df -Pk "$d" | { read -r head; read -r disk size used free rest; echo "$free"; })
  most=$((most / 4 * 1024))
  [ $most -le @MOST@ ] || most=@MOST@
  gone=0 base=0
  while kill -0 $$ && [ ! -e "$d/exit" ]; do
    size=$(($(wc -c <"$d/log") + base))
    if [ $((size - gone)) -gt $most ]; then
      gone=$((size - most / 2))
      note_gone
      fallocate -p -o 0 -l $((gone - base)) "$d/log" || {
        tail -c +$((gone - base + 1)) "$d/log" | head -c $most >"$d/last"
        : >"$d/log"
        cat "$d/last" >>"$d/log"
        base=$gone
      }
      note_gone
    fi
    sleep 1
  done
}
note_gone() { echo "$gone $base" >"$d/gone.new" && mv "$d/gone.new" "$d/gone"; }
"""

# The file for the exit code has its block on the disk before the command can fill that.
KEEPER = (
    IDENTITY
    + SHORTEN
    + """\
trap '' HUP
d=$1
began_at $$
echo "$boot $$ $began" >"$d/owner.$$" && echo '   ' >"$d/exit.$$" || exit
ln "$d/owner.$$" "$d/owner" 2>/dev/null || { rm -f "$d/owner.$$" "$d/exit.$$"; exit; }
shorten >/dev/null 2>&1 </dev/null &
(_ADVISOR_JOB=$d/ exec sh "$d/command" >>"$d/log" 2>&1 </dev/null)
printf '%3d\\n' $? 1<>"$d/exit.$$"
mv "$d/exit.$$" "$d/exit"
"""
)

KILLED = (
    KILLS
    + """\
before= now=$(kills)
read -r before 2>/dev/null <"$d/kills"
[ -n "$before" ] && [ -n "$now" ] && echo $((now - before))
exit 0
"""
)

FOLDER = 'd="$HOME/.advisor/jobs/{name}"\n'

START = """\
[ -e "$d/owner" ] && exit
umask 077
mkdir -p "$d" && : >>"$d/log" || exit
put() {{ printf '%s' "$2" >"$d/$1.$$" && mv "$d/$1.$$" "$d/$1"; }}
put command {command} && put keeper {keeper} && put kills "$(kills)" || exit
keep="sh"
command -v nohup >/dev/null && keep="nohup $keep"
command -v setsid >/dev/null && keep="setsid $keep"
$keep "$d/keeper" "$d" </dev/null >/dev/null 2>&1 &
for try in 1 2 3 4 5 6 7 8 9 10; do
  [ -e "$d/owner" ] && exit 0
  sleep 0.$try
done
echo "its keeper does not start" >&2
exit 1
"""

# The container's own variables (its PATH, where its libraries are) are those of the
# start script: a login by ssh has not got them.
COMMAND = """\
[ -r "$HOME/.advisor/environment" ] && . "$HOME/.advisor/environment"
export PYTHONUNBUFFERED=1
{exports}cd "$HOME" && mkdir -p -- {folder} && cd -- {folder} || exit 126
exec {words}
"""

STATE = (
    IDENTITY
    + """\
[ -e "$d/owner" ] || { echo not_started; exit; }
[ -e "$d/exit" ] || ! is_alive || { echo running; exit; }
if [ -e "$d/exit" ]; then echo ended $(cat "$d/exit"); else echo lost; fi
"""
)

# Prints the log from an offset on until the command has ended and all of it is out, or
# what is next was dropped.
# Looks for the end before it looks at the size: what was printed before is out then.
FOLLOW = (
    IDENTITY
    + """\
at=@AT@
[ -e "$d/owner" ] || exit 0
while kill -0 $PPID 2>/dev/null; do
  over=yes
  [ ! -e "$d/exit" ] && is_alive && over=no
  gone=0 base=0
  read -r gone base 2>/dev/null <"$d/gone"
  [ $at -ge "$gone" ] || exit 0
  size=$(wc -c <"$d/log") || exit
  size=$((size + base))
  if [ $size -gt $at ]; then
    tail -c +$((at - base + 1)) "$d/log" | head -c $((size - at)) || exit
    at=$((size))
  elif [ $over = yes ]; then
    exit 0
  else
    sleep @EVERY@
  fi
done
"""
)

DROPPED = """\
gone=0
read -r gone base 2>/dev/null <"$d/gone"
echo "$gone"
"""

PRINTED = """\
gone=0 base=0
read -r gone base 2>/dev/null <"$d/gone"
at=@AT@
[ $at -ge "$gone" ] || at=$gone
size=$(wc -c 2>/dev/null <"$d/log")
size=$((${size:-0} + base))
[ $((size - at)) -le @MOST@ ] || at=$((size - @MOST@))
echo "$at"
tail -c +$((at - base + 1)) "$d/log" 2>/dev/null | head -c @MOST@
exit 0
"""

STOP = (
    IDENTITY
    + HOLDING
    + """\
[ -e "$d/owner" ] || exit 0
end() {
  for file in $(holding environ "_ADVISOR_JOB=$d/"); do
    id=${file#/proc/}
    kill -$1 "${id%/environ}" 2>/dev/null && some=yes
  done
}
end TERM
tries=@TRIES@
while [ $tries -gt 0 ] && is_alive && [ ! -e "$d/exit" ]; do
  sleep 0.2
  tries=$((tries - 1))
done
for round in 1 2 3; do
  some=no
  end KILL
  [ $some = no ] && exit 0
  sleep 0.1
done
exit 0
"""
)
