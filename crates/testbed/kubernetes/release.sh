#!/usr/bin/env bash
# release.sh KUBERNETES KWOK: writes go.mod and go.sum for these releases, such as: release.sh 1.33.13 v0.7.0
# The two must be on the same minor release of the k8s.io libraries. Kubernetes' own go.mod points at folders
# of its repository for its 31 libraries: each needs a replacement by the published one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
release=$1 kwok=$2
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
echo "now set RELEASE in src/kubernetes/program.rs"
