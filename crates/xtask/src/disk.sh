# A disk for tests, in a mount namespace of its own: it is gone when the last process in it ends, however it ends.
# disk.sh FOLDER PROGRAM ARGUMENTS...
folder=$1 image=$1.img
shift
mkdir -p "$folder"
# The file is as large as what is written to it. Few inodes, no journal: nothing outlives the tests.
if truncate --size 256G "$image" && mkfs.ext4 -q -F -m 0 -i 262144 -O ^has_journal -E lazy_itable_init=1,nodiscard "$image" &&
  mount -o loop,discard,noinit_itable "$image" "$folder"; then
  export TMPDIR="$folder"
else
  echo "xtask: no disk for tests; they use $(df --output=avail -h /tmp | tail -1) of this machine's" >&2
fi
rm -f "$image"
exec "$@"
