package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
	"triptych.dev/go-backend/internal/freeport"
)

// serveIngest runs the whole server with one ingest port until the test ends.
func serveIngest(t *testing.T) (grpcAddress, httpAddress string, client net.Conn) {
	t.Helper()
	grpcAddress, httpAddress = freeport.Address(t), freeport.Address(t)
	_, port, _ := net.SplitHostPort(freeport.Address(t))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		root := newRoot()
		root.SetArgs([]string{"serve", "--xdp-mode", "off", "--grpc-address", grpcAddress, "--http-address", httpAddress,
			"--ingest-ports", port, "--log-level", "error"})
		done <- root.ExecuteContext(ctx)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		_, err := execute(t, "health", "--grpc-address", grpcAddress)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	client, err := net.Dial("udp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return grpcAddress, httpAddress, client
}

// sendUntil sends a datagram again and again until the command has seen enough.
func sendUntil(t *testing.T, client net.Conn, command func() (string, error)) string {
	t.Helper()
	type result struct {
		output string
		err    error
	}
	results := make(chan result, 1)
	go func() {
		output, err := command()
		results <- result{output, err}
	}()
	for {
		select {
		case got := <-results:
			if got.err != nil {
				t.Fatal(got.err)
			}
			return got.output
		case <-time.After(10 * time.Millisecond):
			client.Write([]byte("hello\n"))
		}
	}
}

func TestIngestCommands(t *testing.T) {
	address, httpAddress, client := serveIngest(t)
	port := strings.TrimPrefix(client.RemoteAddr().String(), "127.0.0.1:")
	dropNoSubscriber(t, address, client)
	tail := func(arguments ...string) string {
		return sendUntil(t, client, func() (string, error) {
			return execute(t, append([]string{"ingest", "tail", "--grpc-address", address, "--count", "2"}, arguments...)...)
		})
	}
	table := strings.Split(strings.TrimSpace(tail()), "\n")
	if want := fmt.Sprintf(`  %s  %s  #`, port, client.LocalAddr()); len(table) != 2 || !strings.Contains(table[1], want) ||
		!strings.HasSuffix(table[1], `  6 bytes  "hello\n"`) {
		t.Errorf("tail %q", table)
	}
	decoder := json.NewDecoder(strings.NewReader(tail("--output", "json", "--ports", port)))
	var first, second line
	if err := decoder.Decode(&first); err != nil {
		t.Fatal(err)
	}
	if err := decoder.Decode(&second); err != nil || second.Sequence != first.Sequence+1 || string(second.Payload) != "hello\n" ||
		second.Source != client.LocalAddr().String() || time.Since(second.Time) > time.Minute {
		t.Errorf("tail %+v, %+v, %v", first, second, err)
	}
	streams, err := execute(t, "ingest", "streams", "--grpc-address", address)
	if err != nil || !strings.Contains(streams, "\n"+port+" ") || !strings.Contains(streams, "socket") || !strings.Contains(streams, "no_subscriber") {
		t.Errorf("streams %v\n%s", err, streams)
	}
	document, err := execute(t, "ingest", "streams", "--grpc-address", address, "--output", "json")
	var answer struct{ Streams []struct{ Mode string } }
	if jsonErr := json.Unmarshal([]byte(document), &answer); err != nil || jsonErr != nil || answer.Streams[0].Mode != "INGEST_MODE_SOCKET" {
		t.Errorf("streams %v, %v\n%s", err, jsonErr, document)
	}
	// The server may learn a moment later that the tails are gone.
	eventually(t, "the status is without clients", func() (string, bool) {
		status, err := execute(t, "status", "--grpc-address", address)
		return status, err == nil && strings.Contains(status, "INGEST") && strings.Contains(status, "socket, ports "+port+", 0 clients")
	})
	var state struct {
		Status struct {
			Ingest struct {
				Mode  string
				Ports []int
			}
		}
	}
	document, err = execute(t, "status", "--output", "json", "--grpc-address", address)
	if jsonErr := json.Unmarshal([]byte(document), &state); err != nil || jsonErr != nil ||
		state.Status.Ingest.Mode != "INGEST_MODE_SOCKET" || fmt.Sprint(state.Status.Ingest.Ports) != "["+port+"]" {
		t.Errorf("status %v, %v\n%s", err, jsonErr, document)
	}
	checkIngestMetrics(t, httpAddress, port)
}

// dropNoSubscriber sends datagrams until the server has counted one that nobody reads.
func dropNoSubscriber(t *testing.T, address string, client net.Conn) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := client.Write([]byte("nobody reads this")); err != nil {
			t.Fatal(err)
		}
		streams, err := execute(t, "ingest", "streams", "--grpc-address", address)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(streams, "no_subscriber") {
			return
		}
	}
	t.Fatalf("no datagram is counted within %s", patience)
}

func checkIngestMetrics(t *testing.T, address, port string) {
	t.Helper()
	for _, line := range []string{
		`go_backend_ingest_info{mode="socket",reason="no XDP program is attached: switched off by configuration"} 1`,
		`go_backend_ingest_pending_datagrams{port="` + port + `"} 0`,
		`go_backend_ingest_slots_in_use{queue="socket-0"} 0`,
	} {
		eventually(t, "/metrics has "+line, func() (string, bool) {
			body := metrics(t, address)
			return body, strings.Contains(body, line)
		})
	}
	if strings.Contains(metrics(t, address), `go_backend_ingest_delivered_datagrams_total{port="`+port+`"} 0`) {
		t.Error("nothing was delivered")
	}
}

func metrics(t *testing.T, address string) string {
	t.Helper()
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// eventually waits for an output that is right.
func eventually(t *testing.T, what string, look func() (output string, isRight bool)) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		output, isRight := look()
		if isRight {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s\n%s", patience, what, output)
		}
	}
}

// TestServerStopsUnderASubscription: serveIngest fails the test if the server does not end.
func TestServerStopsUnderASubscription(t *testing.T) {
	address, _, client := serveIngest(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	server := connectionTo(address)
	connection, err := server.dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	stream, err := ingestv1.NewIngestServiceClient(connection).Subscribe(ctx, &ingestv1.SubscribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	sendUntil(t, client, func() (string, error) { _, err := stream.Recv(); return "", err })
}

func TestIngestErrorsNameTheFix(t *testing.T) {
	address, _, _ := serveIngest(t)
	tests := map[string][]string{
		"use table or json":           {"ingest", "streams", "--output", "yaml"},
		"127.0.0.1:1 does not answer": {"ingest", "streams", "--grpc-address", "127.0.0.1:1"},
		"not an ingest port: 9":       {"ingest", "tail", "--grpc-address", address, "--ports", "9"},
		`"0" is no port`:              {"serve", "--ingest-ports", "514,0"},
		`unknown ingest mode "fast"`:  {"serve", "--ingest-mode", "fast"},
		"--ingest-queues -1":          {"serve", "--xdp-mode", "off", "--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0", "--ingest-queues", "-1"},
		"is there twice":              {"serve", "--xdp-mode", "off", "--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0", "--ingest-ports", "9,9"},
	}
	for want, arguments := range tests {
		if _, err := execute(t, arguments...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %s", arguments, err, want)
		}
	}
}
