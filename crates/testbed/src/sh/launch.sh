# Becomes the command that follows, after its pid and kernel start time stand in RECORD.
# launch.sh ALIVE RECORD COMMAND...
# Record first, then look for ALIVE: warden.sh does it the other way round (removes ALIVE, then reads
# the records), so in either order, every server that starts also gets ended.
set -e
alive=$1 record=$2
shift 2
read -r stat < "/proc/$$/stat"
stat=${stat##*) }
start=$(set -- $stat; echo "${20}")
echo "$$ $start" > "$record"
[ -e "$alive" ] || exit 0
exec "$@"
