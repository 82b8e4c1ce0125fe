// Package metrics tells Prometheus how a server does: its sessions and logins, what
// the agent takes, whether it is drained and whether the cluster is there. No user is
// named. It listens only where the administrator says so, by default on loopback.
package metrics

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"goldm/internal/logs"
)

// Path is where Prometheus looks by default.
const Path = "/metrics"

// slow bounds the time that who asks may take.
const slow = 10 * time.Second

// Config says where the numbers come from. Each func is asked at each scrape; the nil ones
// leave their numbers out.
type Config struct {
	Version   string
	Results   []string // of logins, so that each has a number from the beginning
	Sessions  func() (int, error)
	Rating    func() int // 0 to 100; less is unknown
	Drained   func() bool
	Memory    func() (bytes int64, err error) // of all the agent's processes
	Reachable func() bool                     // the cluster; nil where there is none
	Servers   func() int                      // the others in it
	Log       *slog.Logger
}

// Metrics counts logins and answers scrapes.
type Metrics struct {
	log      *slog.Logger
	registry *prometheus.Registry
	logins   *prometheus.CounterVec
	took     prometheus.Histogram
}

// New returns the metrics of one daemon.
func New(c Config) *Metrics {
	m := &Metrics{
		log:      c.Log,
		registry: prometheus.NewRegistry(),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ltsp_logins_total", Help: "Logins since the daemon began, by their result.",
		}, []string{"result"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ltsp_login_duration_seconds", Help: "From the agent's begin to the desktop's, of logins that succeeded.",
			Buckets: []float64{0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60},
		}),
	}
	for _, result := range c.Results {
		m.logins.WithLabelValues(result)
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ltsp_agent_info", Help: "1; the label tells the agent's version.",
		ConstLabels: prometheus.Labels{"version": c.Version},
	})
	info.Set(1)
	m.registry.MustRegister(m.logins, m.took, info,
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector(), &gauges{config: c})
	return m
}

// Login counts a login.
func (m *Metrics) Login(result string, took time.Duration, succeeded bool) {
	m.logins.WithLabelValues(result).Inc()
	if succeeded {
		m.took.Observe(took.Seconds())
	}
}

// Serve answers on a listener, which it closes, until ctx ends.
func (m *Metrics) Serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET "+Path, promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            logs.Std(m.log, slog.LevelWarn, "metrics"),
		ErrorHandling:       promhttp.ContinueOnError, // one number that is not to be had hides no other
		MaxRequestsInFlight: 4,
		Timeout:             slow,
	}))
	web := &http.Server{
		Handler: mux, ReadTimeout: slow, WriteTimeout: 2 * slow, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: logs.Std(m.log, slog.LevelDebug, "metrics are asked for"),
	}
	defer context.AfterFunc(ctx, func() { web.Close() })()
	if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
