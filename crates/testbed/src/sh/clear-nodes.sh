# Removes what real nodes put on the machine: processes, cgroups, and the bridge with its cables and routes.
# It may run at any time, and twice. The names are those in nodes/machine.rs.
group=mappr-nodes bridge=mappr-nodes
groups() {
  for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ ! -d "$root/$group" ] || echo "$root/$group"
  done
}
tries=0
while [ -n "$(groups)" ] && [ "$tries" -lt 200 ]; do
  for folder in $(groups); do
    for pid in $(find "$folder" -name cgroup.procs -exec cat {} + 2> /dev/null | sort -u); do
      # 0 is a process that this shell cannot see.
      [ "$pid" = 0 ] || kill -KILL "$pid" 2> /dev/null
    done
    find "$folder" -depth -type d -exec rmdir {} + 2> /dev/null
  done
  tries=$((tries + 1))
  [ -z "$(groups)" ] || sleep 0.05
done
# A node's end of a cable goes with the node; this end may be there a moment longer.
for cable in /sys/class/net/mappr-node-*; do
  [ ! -e "$cable" ] || ip link del "${cable##*/}" 2> /dev/null
done
[ ! -e "/sys/class/net/$bridge" ] || ip link del "$bridge"
left=$(groups)
[ -z "$left" ] || { echo "cgroups with processes that do not end: $left" >&2; exit 1; }
