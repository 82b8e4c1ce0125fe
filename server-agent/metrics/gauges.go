package metrics

import "github.com/prometheus/client_golang/prometheus"

// gauges asks for the numbers of the moment.
type gauges struct{ config Config }

func desc(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }

var (
	sessionsDesc  = desc("ltsp_sessions", "Desktop sessions on this server.")
	ratingDesc    = desc("ltsp_rating", "The server's rating, from 0 (full) to 100 (idle).")
	drainedDesc   = desc("ltsp_drained", "1 where new logins go elsewhere.")
	memoryDesc    = desc("ltsp_agent_memory_bytes", "Resident memory of all the agent's processes: the daemon's and those of the sessions.")
	reachableDesc = desc("ltsp_cluster_reachable", "1 where the cluster is reached; missing where there is none.")
	serversDesc   = desc("ltsp_cluster_servers", "The other servers of the cluster, as last heard of.")
)

// Describe is prometheus.Collector's.
func (g *gauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sessionsDesc, ratingDesc, drainedDesc, memoryDesc, reachableDesc, serversDesc} {
		to <- d
	}
}

// Collect is prometheus.Collector's.
func (g *gauges) Collect(to chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, value float64, err error) {
		if err != nil {
			to <- prometheus.NewInvalidMetric(d, err)
			return
		}
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	c := g.config
	if c.Sessions != nil {
		n, err := c.Sessions()
		tell(sessionsDesc, float64(n), err)
	}
	if c.Rating != nil {
		if rating := c.Rating(); rating >= 0 {
			tell(ratingDesc, float64(rating), nil)
		}
	}
	if c.Drained != nil {
		tell(drainedDesc, one(c.Drained()), nil)
	}
	if c.Memory != nil {
		n, err := c.Memory()
		tell(memoryDesc, float64(n), err)
	}
	if c.Reachable != nil {
		tell(reachableDesc, one(c.Reachable()), nil)
	}
	if c.Servers != nil {
		tell(serversDesc, float64(c.Servers()), nil)
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
