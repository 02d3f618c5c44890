// helmkit checks and renders a chart with Helm's own code.
//
//	helmkit lint     CHART [VALUES...]   complains as `helm lint --strict` does
//	helmkit template CHART RELEASE NAMESPACE [VALUES...]   prints what `helm template` does
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
)

func main() {
	arguments := os.Args[1:]
	var err error
	switch {
	case len(arguments) >= 2 && arguments[0] == "lint":
		err = check(arguments[1], arguments[2:])
	case len(arguments) >= 4 && arguments[0] == "template":
		err = render(arguments[1], arguments[2], arguments[3], arguments[4:])
	default:
		err = fmt.Errorf("usage: helmkit lint CHART [VALUES...] | template CHART RELEASE NAMESPACE [VALUES...]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// values merges files; what comes later wins.
func values(paths []string) (map[string]interface{}, error) {
	merged := map[string]interface{}{}
	for _, path := range paths {
		read, err := chartutil.ReadValuesFile(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		merged = chartutil.MergeTables(read.AsMap(), merged)
	}
	return merged, nil
}

func check(path string, files []string) error {
	given, err := values(files)
	if err != nil {
		return err
	}
	found := lint.All(path, given, "kafka", true)
	worst := 0
	for _, message := range found.Messages {
		fmt.Println(message)
		if message.Severity > worst {
			worst = message.Severity
		}
	}
	if worst >= support.WarningSev {
		return fmt.Errorf("the chart does not lint")
	}
	return nil
}

func render(path, release, namespace string, files []string) error {
	chart, err := loader.Load(path)
	if err != nil {
		return err
	}
	given, err := values(files)
	if err != nil {
		return err
	}
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, given, options, chartutil.DefaultCapabilities)
	if err != nil {
		return err
	}
	rendered, err := engine.Render(chart, all)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(rendered))
	for name, text := range rendered {
		if strings.HasSuffix(name, ".yaml") && strings.TrimSpace(text) != "" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Printf("---\n# Source: %s\n%s\n", name, strings.Trim(rendered[name], "\n"))
	}
	return nil
}
