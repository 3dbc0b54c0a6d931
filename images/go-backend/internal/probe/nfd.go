package probe

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// FeaturesDirectory is where the worker of Node Feature Discovery reads local features.
	FeaturesDirectory = "/etc/kubernetes/node-feature-discovery/features.d"
	featuresFile      = "triptych"
)

// WriteFeatures replaces the feature file by one with these labels, whole or not at all. NFD ignores it after `expiry`;
// a zero time means never.
func WriteFeatures(directory string, labels map[string]string, expiry time.Time) error {
	var text strings.Builder
	if !expiry.IsZero() {
		fmt.Fprintf(&text, "# +expiry-time=%s\n", expiry.UTC().Format(time.RFC3339))
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&text, "%s=%s\n", key, labels[key])
	}
	// NFD skips names that begin with a dot.
	partial := filepath.Join(directory, "."+featuresFile)
	if err := os.WriteFile(partial, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("the feature file of NFD: %w: mount %s of the node", err, FeaturesDirectory)
	}
	return os.Rename(partial, filepath.Join(directory, featuresFile))
}
