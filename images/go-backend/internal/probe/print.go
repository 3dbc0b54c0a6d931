package probe

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// PrintJSON writes the report for programs.
func (r Report) PrintJSON(output io.Writer) error {
	encoder := json.NewEncoder(output)
	encoder.SetIndent("", "  ")
	return encoder.Encode(struct {
		Report
		Verdict string `json:"verdict"`
	}{r, r.Verdict()})
}

// PrintTable writes the report for people.
func (r Report) PrintTable(output io.Writer) error {
	table := tabwriter.NewWriter(output, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(table, strings.Join(cells, "\t")) }
	row("NODE", r.Node, "kernel "+r.Kernel)
	row(append([]string{"UPLINK"}, r.uplinkCells()...)...)
	row("XDP", string(r.Mode), r.XDP.Detail)
	row("AF_XDP", r.Sockets, r.AFXDP.Detail)
	for _, pages := range r.Hugepages {
		row("HUGEPAGES", sizeName(pages.SizeBytes), pages.cell())
	}
	row("NUMA", fmt.Sprint(r.NumaNodes), fmt.Sprintf("uplink on node %d", r.Uplink.NumaNode))
	for _, key := range slices.Sorted(maps.Keys(r.Labels)) {
		row("LABEL", r.Labels[key], key)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(output, r.Node, r.Verdict())
	return err
}

func (r Report) uplinkCells() []string {
	if r.UplinkError != "" {
		return []string{"none", r.UplinkError}
	}
	features := "the kernel does not tell the driver's features"
	if r.Uplink.FeaturesKnown {
		features = "the driver declares " + strings.Join(r.Uplink.Features, ", ")
	}
	return []string{r.Uplink.Interface, r.Uplink.Driver + ": " + features}
}

func (p Pages) cell() string {
	text := fmt.Sprintf("%d, %d free", p.Total, p.Free)
	if p.OfferedBytes != nil {
		text += fmt.Sprintf(", the kubelet offers %d", *p.OfferedBytes/p.SizeBytes)
	}
	return text
}
