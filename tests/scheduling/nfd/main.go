// Command nfd does with the platform's files what Node Feature Discovery would do on a node, by its own packages, and
// prints the labels as a JSON object.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	_ "unsafe" // for the link to the folder's name

	nfd "sigs.k8s.io/node-feature-discovery/api/nfd/v1alpha1"
	"sigs.k8s.io/node-feature-discovery/pkg/apis/nfd/nodefeaturerule"
	"sigs.k8s.io/node-feature-discovery/pkg/utils/hostpath"
	"sigs.k8s.io/node-feature-discovery/source"
	_ "sigs.k8s.io/node-feature-discovery/source/local"
	"sigs.k8s.io/node-feature-discovery/source/memory"
	"sigs.k8s.io/yaml"
)

// The worker's folder of local features, which has no flag.
//
//go:linkname featureFilesDir sigs.k8s.io/node-feature-discovery/source/local.featureFilesDir
var featureFilesDir string

const usage = `usage: nfd local FOLDER < /dev/null    labels of a folder of local feature files
       nfd rule SYSFS < input          labels of {"rule": NodeFeatureRule, "attributes": {feature: {name: value}}} on a
                                       node with this /sys`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 2 {
		return fmt.Errorf("%s", usage)
	}
	labels, err := map[string]string{}, error(nil)
	switch arguments[0] {
	case "local":
		labels, err = local(arguments[1])
	case "rule":
		labels, err = rule(arguments[1], os.Stdin)
	default:
		err = fmt.Errorf("%s", usage)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(labels)
}

func local(folder string) (map[string]string, error) {
	featureFilesDir = folder
	if err := source.GetFeatureSource("local").Discover(); err != nil {
		return nil, err
	}
	found, err := source.GetLabelSource("local").GetLabels()
	labels := map[string]string{}
	for name, value := range found {
		labels[name] = fmt.Sprint(value)
	}
	return labels, err
}

func rule(sysfs string, input io.Reader) (map[string]string, error) {
	text, err := io.ReadAll(input)
	if err != nil {
		return nil, err
	}
	var node struct {
		Rule       nfd.NodeFeatureRule          `json:"rule"`
		Attributes map[string]map[string]string `json:"attributes"`
	}
	if err := yaml.UnmarshalStrict(text, &node); err != nil {
		return nil, err
	}
	hostpath.SysfsDir = hostpath.HostDir(sysfs)
	if err := source.GetFeatureSource(memory.Name).Discover(); err != nil {
		return nil, err
	}
	features := source.GetAllFeatures()
	for name, elements := range node.Attributes {
		features.Attributes[name] = nfd.NewAttributeFeatures(elements)
	}
	labels := map[string]string{}
	for _, part := range node.Rule.Spec.Rules {
		result, err := nodefeaturerule.Execute(&part, features, true)
		if err != nil {
			return nil, err
		}
		for name, value := range result.Labels {
			labels[name] = value
		}
	}
	return labels, nil
}
