package probe

import (
	"fmt"
	"strconv"
)

// Prefix of every label and annotation of this package.
const Prefix = "triptych.dev/"

const (
	labelFastPath     = Prefix + "fast-path"
	labelXDP          = Prefix + "xdp"
	labelAFXDP        = Prefix + "af-xdp"
	labelNumaNodes    = Prefix + "numa-nodes"
	labelHugepages    = Prefix + "hugepages-" // and the size, as Kubernetes writes it
	annotationVerdict = Prefix + "fast-path-verdict"
	// AnnotationSwitch on a node, with the value off, keeps the probe from touching it.
	AnnotationSwitch = Prefix + "probe"
)

// labels are those that hold; one that does not hold is absent, so that it goes away.
func (r Report) labels(able, hugepages bool) map[string]string {
	labels := map[string]string{
		labelXDP:       string(r.Mode),
		labelAFXDP:     r.Sockets,
		labelNumaNodes: strconv.Itoa(r.NumaNodes),
	}
	if able {
		labels[labelFastPath] = "true"
	}
	for _, pages := range r.Hugepages {
		enough := pages.Total > 0 && (pages.OfferedBytes == nil || *pages.OfferedBytes > 0)
		if pages.SizeBytes == pageSize2Mi {
			enough = hugepages
		}
		if enough {
			labels[labelHugepages+sizeName(pages.SizeBytes)] = "true"
		}
	}
	return labels
}

// sizeName writes a page size as the resource name hugepages-<size> does.
func sizeName(bytes uint64) string {
	for _, unit := range []struct {
		name  string
		shift int
	}{{"Gi", 30}, {"Mi", 20}} {
		if bytes >= 1<<unit.shift && bytes%(1<<unit.shift) == 0 {
			return fmt.Sprintf("%d%s", bytes>>unit.shift, unit.name)
		}
	}
	return fmt.Sprintf("%dKi", bytes>>10)
}

// ParseBytes reads a memory quantity in bytes, Ki, Mi, Gi or Ti.
func ParseBytes(text string) (uint64, error) {
	digits, shift := text, 0
	for suffix, bits := range map[string]int{"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40} {
		if len(text) > 2 && text[len(text)-2:] == suffix {
			digits, shift = text[:len(text)-2], bits
		}
	}
	number, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || number > (1<<63)>>shift {
		return 0, fmt.Errorf("%q is no amount of memory such as 64Mi", text)
	}
	return number << shift, nil
}
