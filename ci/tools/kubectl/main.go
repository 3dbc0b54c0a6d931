// Command kubectl is the upstream client, built from its library module:
// `go install k8s.io/kubernetes/cmd/kubectl` is refused because that module has replace directives.
package main

import (
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"

	_ "k8s.io/client-go/plugin/pkg/client/auth" // cloud login plugins of kubeconfigs
)

func main() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
