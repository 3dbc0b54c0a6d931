package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// fieldManager owns the probe's labels: the API server removes those that it no longer applies, and reports
	// those that somebody else set as conflicts.
	fieldManager = "triptych-probe"
	// ServiceAccountDirectory is where Kubernetes mounts a pod's token and the API server's authority.
	ServiceAccountDirectory = "/var/run/secrets/kubernetes.io/serviceaccount"
	requestTimeout          = 15 * time.Second
	maxAnswerBytes          = 8 << 20
)

// NodeClient reads and labels one node over the Kubernetes API.
type NodeClient struct {
	server    *url.URL
	directory string // with token and ca.crt
	node      string
}

// NewNodeClient talks to an API server; an empty one means that of the pod's own cluster.
func NewNodeClient(server, directory, node string) (*NodeClient, error) {
	if server == "" {
		host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
		if host == "" || port == "" {
			return nil, errors.New("not in a pod: set --api-server, or use --print")
		}
		server = "https://" + net.JoinHostPort(host, port)
	}
	parsed, err := url.Parse(server)
	if err != nil || parsed.Host == "" {
		return nil, fmt.Errorf("--api-server %s is no address such as https://10.0.0.1:6443", server)
	}
	return &NodeClient{server: parsed, directory: directory, node: node}, nil
}

// Node is what the probe reads of a node.
type Node struct {
	Metadata struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Status struct {
		Allocatable map[string]string `json:"allocatable"`
	} `json:"status"`
}

// Get reads the node.
func (c *NodeClient) Get(ctx context.Context) (Node, error) {
	var node Node
	body, err := c.do(ctx, http.MethodGet, nil)
	if err != nil {
		return node, err
	}
	return node, json.Unmarshal(body, &node)
}

// Apply makes labels the only ones of this field manager, and writes the verdict beside them. A label that somebody
// else set to another value stays as it is.
//
// Returns the labels that were left alone.
func (c *NodeClient) Apply(ctx context.Context, labels map[string]string, verdict string) ([]string, error) {
	err := c.apply(ctx, labels, verdict)
	var conflict *conflictError
	if !errors.As(err, &conflict) || len(conflict.labels) == 0 {
		return nil, err
	}
	labels = maps.Clone(labels)
	for _, label := range conflict.labels {
		delete(labels, label)
	}
	verdict += "; set by hand: " + strings.Join(conflict.labels, ", ")
	return conflict.labels, c.apply(ctx, labels, verdict)
}

func (c *NodeClient) apply(ctx context.Context, labels map[string]string, verdict string) error {
	metadata := map[string]any{"name": c.node, "labels": labels, "annotations": map[string]string{annotationVerdict: verdict}}
	body, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Node", "metadata": metadata})
	if err != nil {
		return err
	}
	_, err = c.do(ctx, http.MethodPatch, body)
	return err
}

// do sends one request about the node. Token and authority are read anew each time, since Kubernetes rotates them.
func (c *NodeClient) do(ctx context.Context, method string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	target := c.server.JoinPath("api/v1/nodes", c.node)
	if method == http.MethodPatch {
		target.RawQuery = url.Values{"fieldManager": {fieldManager}, "force": {"false"}}.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/apply-patch+yaml")
	request.Header.Set("Accept", "application/json")
	client, err := c.authorize(request)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 != 2 {
		return nil, refusal(method, c.node, response.StatusCode, answer)
	}
	return answer, nil
}

func (c *NodeClient) authorize(request *http.Request) (*http.Client, error) {
	token, err := os.ReadFile(filepath.Join(c.directory, "token"))
	if err != nil {
		return nil, fmt.Errorf("the service account's token: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	transport := &http.Transport{Proxy: nil, TLSHandshakeTimeout: requestTimeout}
	if c.server.Scheme == "https" {
		authority, err := os.ReadFile(filepath.Join(c.directory, "ca.crt"))
		if err != nil {
			return nil, fmt.Errorf("the API server's authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(authority) {
			return nil, fmt.Errorf("%s/ca.crt holds no certificate", c.directory)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: transport}, nil
}

// conflictError lists the labels that belong to somebody else.
type conflictError struct {
	labels  []string
	message string
}

func (e *conflictError) Error() string {
	return e.message
}

// refusal turns the API server's Status into an error that names the fix.
func refusal(method, node string, code int, body []byte) error {
	var status struct {
		Message string `json:"message"`
		Details struct {
			Causes []struct {
				Reason string `json:"reason"`
				Field  string `json:"field"`
			} `json:"causes"`
		} `json:"details"`
	}
	if err := json.Unmarshal(body, &status); err != nil || status.Message == "" {
		status.Message = http.StatusText(code)
	}
	switch code {
	case http.StatusConflict:
		conflict := &conflictError{message: status.Message}
		for _, cause := range status.Details.Causes {
			if label, found := strings.CutPrefix(cause.Field, ".metadata.labels."); found && cause.Reason == "FieldManagerConflict" {
				conflict.labels = append(conflict.labels, label)
			}
		}
		return conflict
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%s node %s: %s: let this service account get and patch nodes", method, node, status.Message)
	case http.StatusNotFound:
		return fmt.Errorf("the cluster has no node %s: set --node-name to the Node's name", node)
	}
	return fmt.Errorf("%s node %s: %d %s", method, node, code, status.Message)
}

// Label judges the node's facts with what its kubelet offers and applies the labels.
//
// Returns the report as judged and the labels that somebody else's value overrides.
func (c *NodeClient) Label(ctx context.Context, facts Facts, need Need) (Report, []string, error) {
	node, err := c.Get(ctx)
	if err != nil {
		return Report{}, nil, err
	}
	facts.Hugepages = slices.Clone(facts.Hugepages)
	for i := range facts.Hugepages {
		pages := &facts.Hugepages[i]
		offered, err := ParseBytes(node.Status.Allocatable["hugepages-"+sizeName(pages.SizeBytes)])
		if err != nil {
			offered = 0 // the kubelet does not know this size
		}
		pages.OfferedBytes = &offered
	}
	report := NewReport(facts, need)
	if node.Metadata.Annotations[AnnotationSwitch] == "off" {
		slog.Info("the node is left alone", "annotation", AnnotationSwitch)
		return report, nil, nil
	}
	overridden, err := c.Apply(ctx, report.Labels, report.Verdict())
	return report, overridden, err
}
