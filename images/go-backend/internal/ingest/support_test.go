package ingest

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	grpcstatus "google.golang.org/grpc/status"

	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
	"triptych.dev/go-backend/internal/host"
)

func codeOf(err error) string {
	return grpcstatus.Code(err).String()
}

func checkCode(t *testing.T, node *node, request *ingestv1.SubscribeRequest, want string) {
	t.Helper()
	stream, err := node.client.Subscribe(bounded(t), request)
	must(t, err)
	if _, err := stream.Recv(); !strings.HasPrefix(want, codeOf(err)) {
		t.Errorf("error %v, want %s", err, want)
	}
}

// withoutMemlock makes the capability matter: root's processes often have no limit.
func withoutMemlock(t *testing.T) {
	t.Helper()
	var before unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_MEMLOCK, &before))
	must(t, unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 64 << 10, Max: before.Max}))
	t.Cleanup(func() { must(t, unix.Setrlimit(unix.RLIMIT_MEMLOCK, &before)) })
}

// startReduced attaches the program with all capabilities, and starts the ingest with a few.
func startReduced(t *testing.T, kept []int) *node {
	t.Helper()
	enterNamespace(t)
	source, err := SourceOf(attach(t, ModeNative))
	must(t, err)
	keepCapabilities(t, kept)
	started, err := Start(Options{Ports: []uint16{5514}}, source, host.New())
	must(t, err)
	made := &node{Ingest: started}
	t.Cleanup(func() { made.stop(t) })
	made.client = serve(t, started)
	return made
}

// keepCapabilities takes all others from this thread, which ends with the test.
func keepCapabilities(t *testing.T, kept []int) {
	t.Helper()
	var sets [2]unix.CapUserData
	for _, capability := range kept {
		bit := uint32(1) << (capability % 32)
		sets[capability/32].Effective |= bit
		sets[capability/32].Permitted |= bit
	}
	must(t, unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &sets[0]))
}
