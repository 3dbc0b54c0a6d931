package httpserver

import (
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"triptych.dev/go-backend/internal/status"
)

var (
	packetsDesc = prometheus.NewDesc("go_backend_xdp_packets_total",
		"Packets received on the interface, by protocol class.", []string{"protocol"}, nil)
	bytesDesc = prometheus.NewDesc("go_backend_xdp_bytes_total",
		"Bytes received on the interface, Ethernet header included, by protocol class.", []string{"protocol"}, nil)
	xdpDesc = prometheus.NewDesc("go_backend_xdp_info",
		"1, with the XDP mode obtained and why no better one was.", []string{"mode", "interface", "reason"}, nil)
	hugepagesDesc = prometheus.NewDesc("go_backend_hugepages",
		"Hugepages in the node's pool.", []string{"page_size_bytes"}, nil)
	freeHugepagesDesc = prometheus.NewDesc("go_backend_hugepages_free",
		"Hugepages in the node's pool that nobody uses.", []string{"page_size_bytes"}, nil)
)

// NewRegistry holds the metrics of the process, of the build and of the node.
func NewRegistry(version string, fastpath status.Fastpath, machine status.Machine) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&nodeCollector{fastpath: fastpath, machine: machine},
	)
	promauto.With(registry).NewGauge(prometheus.GaugeOpts{
		Name:        "go_backend_build_info",
		Help:        "1, with the version of this program.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
	}).Set(1)
	return registry
}

// nodeCollector reads the kernel's counters when it is scraped: nothing is copied in between.
type nodeCollector struct {
	fastpath status.Fastpath
	machine  status.Machine
}

func (c *nodeCollector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{packetsDesc, bytesDesc, xdpDesc, hugepagesDesc, freeHugepagesDesc} {
		descriptions <- description
	}
}

func (c *nodeCollector) Collect(metrics chan<- prometheus.Metric) {
	state := c.fastpath.State()
	metrics <- prometheus.MustNewConstMetric(xdpDesc, prometheus.GaugeValue, 1,
		string(state.Mode), state.Interface, state.Reason)
	c.collectCounters(metrics)
	c.collectHugepages(metrics)
}

func (c *nodeCollector) collectCounters(metrics chan<- prometheus.Metric) {
	counters, err := c.fastpath.Counters()
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(packetsDesc, err)
		return
	}
	for _, counter := range counters {
		metrics <- prometheus.MustNewConstMetric(packetsDesc, prometheus.CounterValue,
			float64(counter.Packets), counter.Protocol)
		metrics <- prometheus.MustNewConstMetric(bytesDesc, prometheus.CounterValue,
			float64(counter.Bytes), counter.Protocol)
	}
}

func (c *nodeCollector) collectHugepages(metrics chan<- prometheus.Metric) {
	pools, err := c.machine.HugepagePools()
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(hugepagesDesc, err)
		return
	}
	for _, pool := range pools {
		size := strconv.FormatUint(pool.PageSizeBytes, 10)
		metrics <- prometheus.MustNewConstMetric(hugepagesDesc, prometheus.GaugeValue, float64(pool.TotalPages), size)
		metrics <- prometheus.MustNewConstMetric(freeHugepagesDesc, prometheus.GaugeValue, float64(pool.FreePages), size)
	}
}
