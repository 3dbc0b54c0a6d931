package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProbePrints(t *testing.T) {
	table, err := execute(t, "probe", "--node-name", "worker")
	if err != nil || !strings.Contains(table, "\nworker ") || !strings.HasPrefix(table, "NODE ") {
		t.Errorf("%v\n%s", err, table)
	}
	document, err := execute(t, "probe", "--node-name", "worker", "--output", "json")
	var report struct{ Node, Verdict string }
	if parseErr := json.Unmarshal([]byte(document), &report); err != nil || parseErr != nil || report.Node != "worker" || report.Verdict == "" {
		t.Errorf("%v, %v\n%s", err, parseErr, document)
	}
}

func TestProbeJudgesByTheFlags(t *testing.T) {
	output, err := execute(t, "probe", "--hugepages", "1024Ti")
	if err != nil || !strings.Contains(output, "does not fit") || !strings.Contains(output, "set vm.nr_hugepages to 536870912 or more") {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestProbeLabelsThroughTheAPI(t *testing.T) {
	var methods []string
	server := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		methods = append(methods, request.Method+" "+request.URL.Path)
		response.Write([]byte(`{"metadata":{},"status":{"allocatable":{}}}`))
	}))
	defer server.Close()
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "token"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := execute(t, "probe", "--label", "--api-server", server.URL, "--service-account", directory, "--node-name", "worker")
	if got := strings.Join(methods, ", "); err != nil || got != "GET /api/v1/nodes/worker, PATCH /api/v1/nodes/worker" {
		t.Errorf("%v after %s", err, got)
	}
}

func TestProbeWritesFeatures(t *testing.T) {
	directory := t.TempDir()
	if _, err := execute(t, "probe", "--nfd", "--features", directory); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(directory, "triptych")); err != nil || !strings.Contains(string(text), "triptych.dev/numa-nodes=") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestProbeErrorsNameTheFix(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for arguments, want := range map[string]string{
		"--output yaml":                 "use table or json",
		"--minimum-xdp off":             "use native or generic",
		"--hugepages 64MB":              `--hugepages: "64MB" is no amount of memory such as 64Mi`,
		"--interval 1m":                 "use 1s or more, with --label or --nfd",
		"--interval 1ms --label":        "use 1s or more",
		"--label --nfd":                 "none of the others can be",
		"--label":                       "set --api-server",
		"--nfd --features /nonexistent": "mount /etc/kubernetes/node-feature-discovery/features.d of the node",
	} {
		_, err := execute(t, append([]string{"probe"}, strings.Fields(arguments)...)...)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line with %s", arguments, err, want)
		}
	}
}
