# A disk for tests, in a mount namespace of its own: it is gone when the last process in it ends, however it ends.
# disk.sh FOLDER PROGRAM ARGUMENTS...
image=$1.$$.img
mkdir -p "$1"
# Paths of sockets may have 107 letters, so that a short one is better. An empty folder hides nothing.
for folder in /media /mnt /srv "$1"; do
  [ ! -d "$folder" ] || [ -n "$(ls -A "$folder")" ] || break
done
shift
# The file is as large as what is written to it. Few inodes, no journal: nothing outlives the tests.
if truncate --size 256G "$image" && mkfs.ext4 -q -F -m 0 -i 262144 -O ^has_journal -E lazy_itable_init=1,nodiscard "$image" &&
  mount -o loop,discard,noinit_itable "$image" "$folder"; then
  export TMPDIR="$folder"
else
  echo "xtask: no disk for tests can be mounted: they use this machine's, and those that plan need a tenth of it free" >&2
fi
rm -f "$image"
exec "$@"
