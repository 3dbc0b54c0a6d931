package probe

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// label probes facts into the cluster and returns the report and the labels that were overridden.
func label(t *testing.T, client *NodeClient, facts Facts) (Report, []string) {
	t.Helper()
	report, overridden, err := client.Label(t.Context(), facts, need)
	if err != nil {
		t.Fatal(err)
	}
	return report, overridden
}

func expectLabels(t *testing.T, c *cluster, want map[string]string) {
	t.Helper()
	if got := c.own(); !maps.Equal(got, want) {
		t.Errorf("the node has %v, want %v", got, want)
	}
}

func TestLabelsComeAndGo(t *testing.T) {
	c := newCluster(t)
	c.labels["kubernetes.io/hostname"] = "worker"
	client := c.client("worker")
	report, overridden := label(t, client, able())
	if !report.Fits || len(overridden) > 0 {
		t.Errorf("%+v, %v", report, overridden)
	}
	expectLabels(t, c, report.Labels)
	if got := c.annotations["triptych.dev/fast-path-verdict"]; got != report.Verdict() {
		t.Errorf("verdict %q", got)
	}
	lost := able()
	lost.Uplink, lost.UplinkError = Uplink{}, "no default route"
	report, _ = label(t, client, lost)
	expectLabels(t, c, map[string]string{
		"triptych.dev/xdp": "none", "triptych.dev/af-xdp": "none", "triptych.dev/numa-nodes": "2", "triptych.dev/hugepages-2Mi": "true",
	})
	if c.labels["kubernetes.io/hostname"] != "worker" || !strings.HasPrefix(c.annotations["triptych.dev/fast-path-verdict"], "does not fit") {
		t.Errorf("labels %v, annotations %v", c.labels, c.annotations)
	}
}

func TestKubeletsOfferDecides(t *testing.T) {
	for offered, fits := range map[string]bool{"128Mi": true, "64Mi": true, "62Mi": false, "0": false, "": false} {
		c := newCluster(t)
		c.allocatable["hugepages-2Mi"] = offered
		report, _ := label(t, c.client("worker"), able())
		if _, labelled := c.own()["triptych.dev/hugepages-2Mi"]; labelled != fits || report.Fits != fits {
			t.Errorf("%q offered: label %v, report %+v", offered, labelled, report)
		}
	}
}

func TestLabelsSetByHandWin(t *testing.T) {
	c := newCluster(t)
	c.set("triptych.dev/fast-path", "false")
	client := c.client("worker")
	for range 2 {
		_, overridden := label(t, client, able())
		if !slices.Equal(overridden, []string{"triptych.dev/fast-path"}) || c.own()["triptych.dev/fast-path"] != "false" {
			t.Errorf("overridden %v, labels %v", overridden, c.own())
		}
	}
	if verdict := c.annotations["triptych.dev/fast-path-verdict"]; !strings.HasSuffix(verdict, "; set by hand: triptych.dev/fast-path") {
		t.Errorf("verdict %q", verdict)
	}
	if c.own()["triptych.dev/xdp"] != "native" {
		t.Errorf("the other labels are missing: %v", c.own())
	}
	c.set("triptych.dev/fast-path", "")
	if _, overridden := label(t, client, able()); len(overridden) > 0 || c.own()["triptych.dev/fast-path"] != "true" {
		t.Errorf("overridden %v, labels %v", overridden, c.own())
	}
}

func TestLabelSetByHandOutlivesTheProbesOwn(t *testing.T) {
	c := newCluster(t)
	c.set("triptych.dev/fast-path", "true")
	lost := able()
	lost.XDP = Finding{}
	label(t, c.client("worker"), lost)
	if c.own()["triptych.dev/fast-path"] != "true" {
		t.Errorf("labels %v", c.own())
	}
}

func TestAnnotationKeepsTheProbeAway(t *testing.T) {
	c := newCluster(t)
	c.annotations["triptych.dev/probe"] = "off"
	if report, _ := label(t, c.client("worker"), able()); !report.Fits || c.patches != 0 || len(c.own()) > 0 {
		t.Errorf("%d patches, labels %v", c.patches, c.own())
	}
}

func TestRefusalsNameTheFix(t *testing.T) {
	tests := []struct {
		name   string
		change func(*cluster, *NodeClient)
		want   string
	}{
		{"no such node", func(_ *cluster, n *NodeClient) { n.node = "elsewhere" }, "no node elsewhere: set --node-name"},
		{"no right", func(c *cluster, _ *NodeClient) { c.refuse = http.StatusForbidden }, "let this service account get and patch nodes"},
		{"server error", func(c *cluster, _ *NodeClient) { c.refuse = http.StatusInternalServerError }, "GET node worker: 500 nodes is refused"},
		{"no token", func(_ *cluster, n *NodeClient) { os.Remove(filepath.Join(n.directory, "token")) }, "the service account's token"},
		{"wrong token", func(_ *cluster, n *NodeClient) { os.WriteFile(filepath.Join(n.directory, "token"), []byte("x"), 0o600) }, "let this service account"},
		{"no authority", func(_ *cluster, n *NodeClient) { os.WriteFile(filepath.Join(n.directory, "ca.crt"), nil, 0o600) }, "ca.crt holds no certificate"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t)
			client := c.client("worker")
			test.change(c, client)
			_, _, err := client.Label(t.Context(), able(), need)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), token) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestAnotherAuthorityIsNotTrusted(t *testing.T) {
	first, second := newCluster(t).client("worker"), newCluster(t).client("worker")
	foreign, err := NewNodeClient("https://localhost:1", first.directory, "worker")
	if err != nil {
		t.Fatal(err)
	}
	// httptest's certificate is the same for every server, so that a made-up name stands for another server.
	foreign.server.Host = strings.Replace(second.server.Host, "127.0.0.1", "localhost", 1)
	if _, err := foreign.Get(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v", err)
	}
}

func TestOutsideOfAPod(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := NewNodeClient("", ServiceAccountDirectory, "worker"); err == nil || !strings.Contains(err.Error(), "set --api-server") {
		t.Errorf("error %v", err)
	}
	if _, err := NewNodeClient("here", ServiceAccountDirectory, "worker"); err == nil || !strings.Contains(err.Error(), "--api-server here") {
		t.Errorf("error %v", err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	if client, err := NewNodeClient("", ServiceAccountDirectory, "worker"); err != nil || client.server.String() != "https://[fd00::1]:443" {
		t.Errorf("%+v, %v", client, err)
	}
}

func TestRunGoesOnAfterAFailure(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	calls := 0
	publish := func(_ context.Context, facts Facts) (Report, error) {
		if calls++; calls == 1 {
			return Report{}, errors.New("the API server is away")
		}
		cancel()
		return NewReport(facts, need), nil
	}
	config := Config{Node: "worker", Need: need, Interval: time.Millisecond}
	if err := Run(ctx, config, proberAt(twoNodes(), able().Uplink, nil), publish); err != nil || calls < 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestRunOnceReportsTheFailure(t *testing.T) {
	broken := errors.New("the API server is away")
	publish := func(context.Context, Facts) (Report, error) { return Report{}, broken }
	if err := Run(t.Context(), Config{Need: need}, proberAt(twoNodes(), Uplink{}, nil), publish); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestFeatureFile(t *testing.T) {
	directory := t.TempDir()
	before := time.Now()
	report, err := ToFeatures(directory, need, time.Minute)(t.Context(), able())
	if err != nil {
		t.Fatal(err)
	}
	if files, _ := fs.Glob(os.DirFS(directory), "*"); !slices.Equal(files, []string{"triptych"}) {
		t.Errorf("files %v", files)
	}
	content, _ := os.ReadFile(filepath.Join(directory, "triptych"))
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	expiry, err := time.Parse(time.RFC3339, strings.TrimPrefix(lines[0], "# +expiry-time="))
	if err != nil || expiry.Before(before.Add(2*time.Minute)) || expiry.After(before.Add(4*time.Minute)) {
		t.Errorf("first line %q", lines[0])
	}
	if len(lines) != 1+len(report.Labels) || !slices.Contains(lines, "triptych.dev/fast-path=true") {
		t.Errorf("lines %q", lines)
	}
	if err := WriteFeatures(directory, map[string]string{"a": "b"}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(filepath.Join(directory, "triptych")); string(content) != "a=b\n" {
		t.Errorf("content %q", content)
	}
	if err := WriteFeatures(filepath.Join(directory, "missing"), nil, time.Time{}); err == nil || !strings.Contains(err.Error(), FeaturesDirectory) {
		t.Errorf("error %v", err)
	}
}
