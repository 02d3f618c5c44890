// nodelab is one program that holds the unmodified agents of a Kubernetes node:
// kubelet and kube-proxy. The first argument says which of them to be.
package main

import (
	"fmt"
	"os"

	"k8s.io/component-base/cli"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	name := ""
	if len(os.Args) > 1 {
		name = os.Args[1]
		// Each component reads its flags from os.Args.
		os.Args = os.Args[1:]
	}
	switch name {
	case "kubelet":
		os.Exit(cli.Run(kubelet.NewKubeletCommand()))
	case "kube-proxy":
		os.Exit(cli.Run(kubeproxy.NewProxyCommand()))
	default:
		fmt.Fprintln(os.Stderr, "usage: nodelab kubelet|kube-proxy [flags]")
		os.Exit(2)
	}
}
