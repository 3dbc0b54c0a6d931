package probe

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const token = "secret-token"

// cluster is an API server with one node. It keeps who set which label, as server-side apply does: a label that its
// only owner no longer applies goes away, another owner's different value is a conflict.
type cluster struct {
	t           *testing.T
	mutex       sync.Mutex
	labels      map[string]string
	annotations map[string]string
	allocatable map[string]string
	owners      map[string][]string // of each label
	refuse      int                 // status code to answer everything with; 0: none
	patches     int
}

func newCluster(t *testing.T) *cluster {
	return &cluster{
		t: t, labels: map[string]string{}, annotations: map[string]string{}, owners: map[string][]string{},
		allocatable: map[string]string{"cpu": "4", "hugepages-2Mi": "128Mi", "hugepages-1Gi": "0"},
	}
}

// set is what `kubectl label --overwrite` does; an empty value is `kubectl label <key>-`.
func (c *cluster) set(key, value string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if value == "" {
		delete(c.labels, key)
		delete(c.owners, key)
		return
	}
	c.labels[key], c.owners[key] = value, []string{"kubectl-label"}
}

// client starts the server and gives a client that trusts it.
func (c *cluster) client(node string) *NodeClient {
	c.t.Helper()
	server := httptest.NewTLSServer(c)
	c.t.Cleanup(server.Close)
	directory := c.t.TempDir()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, content := range map[string]string{"token": token + "\n", "ca.crt": string(certificate)} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(content), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	client, err := NewNodeClient(server.URL, directory, node)
	if err != nil {
		c.t.Fatal(err)
	}
	return client
}

func (c *cluster) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	switch {
	case request.Header.Get("Authorization") != "Bearer "+token:
		answerStatus(response, http.StatusUnauthorized, "Unauthorized", nil)
	case c.refuse != 0:
		answerStatus(response, c.refuse, "nodes is refused", nil)
	case request.URL.Path != "/api/v1/nodes/worker":
		answerStatus(response, http.StatusNotFound, "nodes not found", nil)
	case request.Method == http.MethodPatch:
		c.apply(response, request)
	default:
		c.answerNode(response)
	}
}

func (c *cluster) answerNode(response http.ResponseWriter) {
	json.NewEncoder(response).Encode(map[string]any{
		"metadata": map[string]any{"labels": c.labels, "annotations": c.annotations},
		"status":   map[string]any{"allocatable": c.allocatable},
	})
}

func (c *cluster) apply(response http.ResponseWriter, request *http.Request) {
	c.patches++
	manager := request.URL.Query().Get("fieldManager")
	if request.Header.Get("Content-Type") != "application/apply-patch+yaml" || manager == "" {
		c.t.Errorf("no server-side apply: %s %s", request.URL, request.Header)
	}
	var applied struct {
		APIVersion, Kind string
		Metadata         struct {
			Name                string
			Labels, Annotations map[string]string
		}
	}
	body, _ := io.ReadAll(request.Body)
	if err := json.Unmarshal(body, &applied); err != nil || applied.Kind != "Node" || applied.APIVersion != "v1" || applied.Metadata.Name != "worker" {
		c.t.Errorf("%v in %s", err, body)
	}
	if conflicts := c.conflicts(manager, applied.Metadata.Labels); len(conflicts) > 0 {
		answerStatus(response, http.StatusConflict, fmt.Sprintf("Apply failed with %d conflicts", len(conflicts)), conflicts)
		return
	}
	for key := range c.labels {
		if _, kept := applied.Metadata.Labels[key]; !kept && slices.Equal(c.owners[key], []string{manager}) {
			delete(c.labels, key)
			delete(c.owners, key)
		}
	}
	for key, value := range applied.Metadata.Labels {
		c.labels[key] = value
		if !slices.Contains(c.owners[key], manager) {
			c.owners[key] = append(c.owners[key], manager)
		}
	}
	c.annotations = maps.Clone(applied.Metadata.Annotations)
	c.answerNode(response)
}

func (c *cluster) conflicts(manager string, labels map[string]string) (keys []string) {
	for key, value := range labels {
		others := slices.DeleteFunc(slices.Clone(c.owners[key]), func(owner string) bool { return owner == manager })
		if found, set := c.labels[key]; set && found != value && len(others) > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

// answerStatus writes what a real API server answers; the field names are those of Kubernetes 1.35.
func answerStatus(response http.ResponseWriter, code int, message string, conflicts []string) {
	causes := []map[string]string{}
	for _, key := range conflicts {
		causes = append(causes, map[string]string{
			"reason": "FieldManagerConflict", "message": `conflict with "kubectl-label" using v1`, "field": ".metadata.labels." + key,
		})
	}
	response.WriteHeader(code)
	json.NewEncoder(response).Encode(map[string]any{
		"kind": "Status", "status": "Failure", "message": message, "code": code, "details": map[string]any{"causes": causes},
	})
}

// own are the labels below the probe's prefix.
func (c *cluster) own() map[string]string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	labels := maps.Clone(c.labels)
	maps.DeleteFunc(labels, func(key, _ string) bool { return !strings.HasPrefix(key, Prefix) })
	return labels
}
