package ingest

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
)

func description(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("go_backend_ingest_"+name, help, labels, nil)
}

var (
	infoDesc      = description("info", "1, with the way datagrams come in and why not a better one.", "mode", "reason")
	openDesc      = description("af_xdp_sockets", "AF_XDP sockets that the program redirects to; 0: UDP sockets receive alone.")
	receivedDesc  = description("received_datagrams_total", "Datagrams that arrived on an ingest port.", "port")
	deliveredDesc = description("delivered_datagrams_total", "Datagrams handed to at least one client.", "port")
	droppedDesc   = description("dropped_datagrams_total", "Datagrams lost, by cause.", "port", "cause")
	pendingDesc   = description("pending_datagrams", "Datagrams that wait for a client.", "port")
	clientsDesc   = description("subscribers", "Clients subscribed to a port.", "port")
	slotsDesc     = description("slots", "Slots of a receive queue.", "queue", "page_kind", "numa_node")
	usedDesc      = description("slots_in_use", "Slots whose datagrams wait for a client.", "queue")
	ringFullDesc  = description("rx_ring_full_total", "Datagrams that found the AF_XDP RX ring full.", "queue")
	fillEmptyDesc = description("fill_ring_empty_total", "Datagrams that found no slot in the AF_XDP fill ring.", "queue")

	descriptions = []*prometheus.Desc{
		infoDesc, openDesc, receivedDesc, deliveredDesc, droppedDesc, pendingDesc, clientsDesc,
		slotsDesc, usedDesc, ringFullDesc, fillEmptyDesc,
	}
	pageKinds = map[ingestv1.PageKind]string{
		ingestv1.PageKind_PAGE_KIND_HUGE: "huge", ingestv1.PageKind_PAGE_KIND_ORDINARY: "ordinary",
	}
)

// Describe implements prometheus.Collector.
func (i *Ingest) Describe(target chan<- *prometheus.Desc) {
	for _, description := range descriptions {
		target <- description
	}
}

// Collect implements prometheus.Collector: it reads what ListStreams reads.
func (i *Ingest) Collect(target chan<- prometheus.Metric) {
	counter := func(desc *prometheus.Desc, value uint64, labels ...string) {
		target <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), labels...)
	}
	gauge := func(desc *prometheus.Desc, value uint64, labels ...string) {
		target <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
	}
	if len(i.streams) == 0 {
		return
	}
	mode, reason := i.Mode()
	gauge(infoDesc, 1, string(mode), reason)
	gauge(openDesc, i.openSocketCount())
	for _, stream := range i.streams {
		port := strconv.Itoa(int(stream.port))
		now, subscribers := stream.snapshot()
		counter(receivedDesc, now.received, port)
		counter(deliveredDesc, now.delivered, port)
		for cause := noCause + 1; cause < causes; cause++ {
			counter(droppedDesc, now.dropped[cause], port, causeNames[cause])
		}
		gauge(pendingDesc, now.pending, port)
		gauge(clientsDesc, uint64(subscribers), port)
	}
	for _, queue := range i.Snapshot().Queues {
		node := ""
		if queue.NumaNode != nil {
			node = strconv.Itoa(int(*queue.NumaNode))
		}
		gauge(slotsDesc, uint64(queue.Slots), queue.Name, pageKinds[queue.PageKind], node)
		gauge(usedDesc, uint64(queue.SlotsInUse), queue.Name)
		counter(ringFullDesc, queue.RxRingFull, queue.Name)
		counter(fillEmptyDesc, queue.FillRingEmpty, queue.Name)
	}
}
