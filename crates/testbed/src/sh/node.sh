# The first process of a real node, in namespaces of its own: with it, everything on the node ends.
# node.sh HOME NAME PROGRAM FLAGS...   the flags are the kubelet's; HOME is described in nodes/node.rs
set -e
home=$1 name=$2 program=$3
shift 3
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/lib
mount --bind "$home/log" /var/log
# The kubelet wants these values, and would set them for the whole machine. It finds them set.
for file in "$home"/sysctl/*; do
  mount --bind "$file" "/proc/sys/$(echo "${file##*/}" | tr . /)"
done
mount --make-rshared /
echo "$name" > /proc/sys/kernel/hostname
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
# Pods of one node reach each other through a Service only if the bridge asks iptables.
[ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
: > "$home/ready"
# /sys shows the machine's interfaces, so ask the kernel.
until ip link show eth0 > /dev/null 2>&1; do sleep 0.05; done
. "$home/network.sh"
# As a service manager does: an agent that ends starts again.
keep() {
  log=$home/log/$1.log
  shift
  while :; do
    "$@" >> "$log" 2>&1 || echo "ended with $?" >> "$log"
    sleep 1
  done
}
keep containerd containerd --config "$home/containerd.toml" &
keep kubelet "$program" kubelet "$@" &
keep kube-proxy "$program" kube-proxy --kubeconfig "$home/kube-proxy.kubeconfig" --hostname-override "$name" \
  --proxy-mode iptables --cluster-cidr "$(cat "$home/cluster-cidr")" --iptables-localhost-nodeports=false \
  --conntrack-max-per-core 0 --conntrack-tcp-timeout-established 0s --conntrack-tcp-timeout-close-wait 0s &
# Also collects the processes that containerd's shims leave behind.
while :; do wait || true; sleep 1; done
