# Ends the servers of FOLDER when the process that started them has gone, and removes FOLDER.
# warden.sh FOLDER
# That process alone holds the other end of the pipe on stdin, so the end of file is the sign, even
# after a SIGKILL. A pid counts only with the start time recorded with it: pids are used again.
trap '' HUP INT QUIT TERM
folder=$1
cat > /dev/null
rm -f "$folder/alive"
for record in "$folder"/*/pid; do
  [ -e "$record" ] && read -r pid start < "$record" || continue
  read -r stat 2> /dev/null < "/proc/$pid/stat" || continue
  stat=${stat##*) }
  now=$(set -- $stat; echo "${20}")
  [ "$now" = "$start" ] && kill -KILL "$pid"
done
# What they leave behind outside of the folder.
[ ! -e "$folder/afterwards" ] || sh "$folder/afterwards" > /dev/null
# A dying server may still create a file while its folder is being removed.
tries=0
while [ -e "$folder" ] && [ "$tries" -lt 100 ]; do
  rm -rf "$folder" || sleep 0.1
  tries=$((tries + 1))
done
