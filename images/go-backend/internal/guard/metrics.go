package guard

import (
	"github.com/prometheus/client_golang/prometheus"

	"triptych.dev/go-backend/internal/xdp"
)

// maxRuleMetrics bounds how many rules have metrics of their own: a feed of a million would bring a server down.
const maxRuleMetrics = 1000

var (
	verdictPacketsDesc = prometheus.NewDesc("go_backend_guard_packets_total",
		"Packets judged, by verdict and protocol class.", []string{"verdict", "protocol"}, nil)
	verdictBytesDesc = prometheus.NewDesc("go_backend_guard_bytes_total",
		"Bytes of the packets judged, Ethernet header included.", []string{"verdict", "protocol"}, nil)
	rulePacketsDesc = prometheus.NewDesc("go_backend_guard_rule_packets_total",
		"Packets that matched a rule; the first 1000 rules by id.", []string{"rule"}, nil)
	ruleBytesDesc = prometheus.NewDesc("go_backend_guard_rule_bytes_total",
		"Bytes of the packets that matched a rule; the first 1000 rules by id.", []string{"rule"}, nil)
	ruleOverDesc = prometheus.NewDesc("go_backend_guard_rule_over_limit_packets_total",
		"Packets above the limit of a rate rule; the first 1000 rules by id.", []string{"rule"}, nil)
	revisionDesc = prometheus.NewDesc("go_backend_guard_revision",
		"Number of the revision in force; 0: none.", nil, nil)
	enforcingDesc = prometheus.NewDesc("go_backend_guard_enforcing",
		"1 while packets are judged by a revision, otherwise 0 with the reason.", []string{"reason"}, nil)
	rulesDesc    = prometheus.NewDesc("go_backend_guard_rules", "Rules in force.", nil, nil)
	prefixesDesc = prometheus.NewDesc("go_backend_guard_prefixes",
		"Prefixes that rules in force name.", []string{"family"}, nil)
	samplesDesc = prometheus.NewDesc("go_backend_guard_samples_total",
		"Packets that were sampled.", nil, nil)
	lostDesc = prometheus.NewDesc("go_backend_guard_events_lost_total",
		"Events that slow readers of WatchEvents lost.", nil, nil)
	watchersDesc = prometheus.NewDesc("go_backend_guard_event_watchers", "Readers of WatchEvents.", nil, nil)
)

// Collector reads the guard when it is scraped.
type Collector struct {
	guard     *Guard
	telemetry *Telemetry
	fastpath  Fastpath
}

// NewCollector makes the guard's metrics.
func NewCollector(guard *Guard, telemetry *Telemetry, fastpath Fastpath) *Collector {
	return &Collector{guard: guard, telemetry: telemetry, fastpath: fastpath}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{
		verdictPacketsDesc, verdictBytesDesc, rulePacketsDesc, ruleBytesDesc, ruleOverDesc, revisionDesc,
		enforcingDesc, rulesDesc, prefixesDesc, samplesDesc, lostDesc, watchersDesc,
	} {
		descriptions <- description
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	revision, inForce := c.guard.Current()
	ipv4, ipv6 := c.guard.Prefixes()
	gauge := func(description *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value, labels...)
	}
	gauge(revisionDesc, float64(revision.Number))
	now := enforcementBy(c.fastpath, revision)
	gauge(enforcingDesc, map[bool]float64{true: 1}[now.Enforcing], now.Reason)
	gauge(rulesDesc, float64(len(inForce)))
	gauge(prefixesDesc, float64(ipv4), "ipv4")
	gauge(prefixesDesc, float64(ipv6), "ipv6")
	gauge(watchersDesc, float64(c.telemetry.Watchers()))
	count(metrics, samplesDesc, c.telemetry.Samples.Load())
	count(metrics, lostDesc, c.telemetry.Lost.Load())
	c.collectVerdicts(metrics)
	c.collectRules(metrics, inForce[:min(len(inForce), maxRuleMetrics)])
}

func count(metrics chan<- prometheus.Metric, description *prometheus.Desc, value uint64, labels ...string) {
	metrics <- prometheus.MustNewConstMetric(description, prometheus.CounterValue, float64(value), labels...)
}

func (c *Collector) collectVerdicts(metrics chan<- prometheus.Metric) {
	counters, err := c.fastpath.VerdictCounters()
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(verdictPacketsDesc, err)
		return
	}
	for _, counter := range counters {
		count(metrics, verdictPacketsDesc, counter.Packets, counter.Verdict.String(), counter.Protocol)
		count(metrics, verdictBytesDesc, counter.Bytes, counter.Verdict.String(), counter.Protocol)
	}
}

func (c *Collector) collectRules(metrics chan<- prometheus.Metric, rules []*Rule) {
	counters, err := c.guard.Counters(rules)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(rulePacketsDesc, err)
		return
	}
	for i, rule := range rules {
		count(metrics, rulePacketsDesc, counters[i].Packets, rule.ID)
		count(metrics, ruleBytesDesc, counters[i].Bytes, rule.ID)
		if rule.Action == xdp.ActionRate {
			count(metrics, ruleOverDesc, counters[i].OverLimit, rule.ID)
		}
	}
}
