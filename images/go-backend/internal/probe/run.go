package probe

import (
	"context"
	"log/slog"
	"maps"
	"time"
)

// Config is what the command line decides.
type Config struct {
	Node string
	Need Need
	// Interval between probes; zero means once.
	Interval time.Duration
}

// Publish tells the world about a node's facts and returns what was told.
type Publish func(ctx context.Context, facts Facts) (Report, error)

// ToNode labels the node over the Kubernetes API.
func ToNode(client *NodeClient, need Need) Publish {
	return func(ctx context.Context, facts Facts) (Report, error) {
		report, overridden, err := client.Label(ctx, facts, need)
		if len(overridden) > 0 {
			slog.Info("labels set by hand win", "labels", overridden)
		}
		return report, err
	}
}

// expiryIntervals is after how many missed probes NFD forgets the features.
const expiryIntervals = 3

// ToFeatures writes the feature file of Node Feature Discovery.
func ToFeatures(directory string, need Need, interval time.Duration) Publish {
	return func(_ context.Context, facts Facts) (Report, error) {
		report := NewReport(facts, need)
		var expiry time.Time
		if interval > 0 {
			expiry = time.Now().Add(expiryIntervals * interval)
		}
		return report, WriteFeatures(directory, report.Labels, expiry)
	}
}

// Run probes and publishes until the context ends, or once. With an interval, a failure is logged and tried again: a
// node that cannot reach the API server now keeps its labels.
func Run(ctx context.Context, config Config, prober *Prober, publish Publish) error {
	var last Report
	for {
		report, err := once(ctx, config, prober, publish)
		switch {
		case config.Interval == 0 && err != nil:
			return err
		case config.Interval == 0:
			logReport(report)
			return nil
		case err != nil:
			slog.Error("probe failed", "error", err, "again_in", config.Interval.String())
		case report.Verdict() != last.Verdict() || !maps.Equal(report.Labels, last.Labels):
			logReport(report)
			last = report
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(config.Interval):
		}
	}
}

func once(ctx context.Context, config Config, prober *Prober, publish Publish) (Report, error) {
	facts, err := prober.Gather(config.Node, config.Need.Interface)
	if err != nil {
		return Report{}, err
	}
	return publish(ctx, facts)
}

func logReport(report Report) {
	slog.Info("probed", "verdict", report.Verdict(), "labels", report.Labels)
}
