#!/usr/bin/env bash
# release.sh KUBERNETES KWOK COREDNS: writes go.mod and go.sum for these releases, here and in nodes/, such as:
#   release.sh 1.33.13 v0.7.0 v1.12.0
# The first two must be on the same minor release of the k8s.io libraries. Kubernetes' own go.mod points at folders
# of its repository for its 31 libraries: each needs a replacement by the published one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
release=$1 kwok=$2 coredns=$3
theirs=$(go mod download -json "k8s.io/kubernetes@v$release" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
etcd=$(sed -n 's#.*go.etcd.io/etcd/client/v3 \(v[^ ]*\).*#\1#p' "$theirs" | head -1)
{
  printf 'module kubelab\n\n'
  grep -E '^go(debug)? ' "$theirs"
  printf '\nrequire (\n\tk8s.io/kubernetes v%s\n\tsigs.k8s.io/kwok %s\n\tgo.etcd.io/etcd/server/v3 %s\n)\n' \
    "$release" "$kwok" "$etcd"
  printf '\nreplace (\n'
  sed -n 's#^\t*\(k8s.io/[^ ]*\) => ./staging/.*#\t\1 => \1 v0.'"${release#1.}"'#p' "$theirs"
  printf ')\n'
} > go.mod
go mod tidy
# The nodes' module begins with all that the control plane uses, in the same releases: then Go compiles it only once.
# So this adds what is missing, and removes nothing.
sed 's/^module kubelab/module nodelab/' go.mod > nodes/go.mod
cp go.sum nodes/go.sum
cd nodes
patched=$(mktemp -d)
trap 'rm -rf "$patched"' EXIT
theirs=$(cd / && go mod download -json "github.com/coredns/coredns@$coredns" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
cp -r "$theirs/." "$patched"
chmod -R u+w "$patched"
sed -i '/RetryOnError/d' "$patched/plugin/kubernetes/object/informer.go"
go mod edit -require "github.com/coredns/coredns@$coredns" -replace "github.com/coredns/coredns=$patched"
go list -mod=mod -deps ./nodelab ./coredns > /dev/null
go mod edit -replace github.com/coredns/coredns=./patched
echo "now set RELEASE in src/kubernetes/program.rs and COREDNS in src/kubernetes/nodes/program.rs"
