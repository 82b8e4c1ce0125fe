package metrics_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"goldm/server-agent/metrics"
)

// scrape asks as Prometheus does, and reads the answer with its own parser.
func scrape(t *testing.T, m *metrics.Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- m.Serve(ctx, l) }()
	answer, err := http.Get("http://" + l.Addr().String() + metrics.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", answer.Status, err)
	}
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
	return families
}

func TestScrape(t *testing.T) {
	m := metrics.New(metrics.Config{
		Version:   "1",
		Results:   []string{"started", "failed"},
		Sessions:  func() (int, error) { return 7, nil },
		Rating:    func() int { return 42 },
		Drained:   func() bool { return true },
		Memory:    func() (int64, error) { return metrics.Memory(filepath.Base(os.Args[0])) },
		Reachable: func() bool { return false },
		Servers:   func() int { return 3 },
		Log:       slog.New(slog.DiscardHandler),
	})
	m.Login("started", 1500*time.Millisecond, true)
	got := scrape(t, m)
	for name, want := range map[string]float64{
		"ltsp_sessions": 7, "ltsp_rating": 42, "ltsp_drained": 1, "ltsp_cluster_reachable": 0, "ltsp_cluster_servers": 3, "ltsp_agent_info": 1,
	} {
		if family := got[name]; family == nil || family.Metric[0].Gauge.GetValue() != want {
			t.Errorf("%s is %v, not %v", name, family, want)
		}
	}
	if n := got["ltsp_agent_memory_bytes"].GetMetric()[0].Gauge.GetValue(); n < 1<<20 || n > 1<<34 {
		t.Errorf("%v bytes of memory", n)
	}
	if n := got["process_resident_memory_bytes"].GetMetric()[0].Gauge.GetValue(); n < 1<<20 {
		t.Errorf("%v bytes of the daemon's memory", n)
	}
	if h := got["ltsp_login_duration_seconds"].GetMetric()[0].Histogram; h.GetSampleCount() != 1 || h.GetSampleSum() != 1.5 {
		t.Errorf("durations: %v", h)
	}
	logins := map[string]float64{}
	for _, m := range got["ltsp_logins_total"].GetMetric() {
		logins[m.Label[0].GetValue()] = m.Counter.GetValue()
	}
	if len(logins) != 2 || logins["started"] != 1 || logins["failed"] != 0 {
		t.Errorf("logins: %v", logins)
	}
}

// What is not to be had is missing, and hides nothing else.
func TestGaps(t *testing.T) {
	got := scrape(t, metrics.New(metrics.Config{
		Sessions: func() (int, error) { return 0, errors.New("no /proc") },
		Rating:   func() int { return -1 },
		Drained:  func() bool { return false },
		Log:      slog.New(slog.DiscardHandler),
	}))
	for _, name := range []string{"ltsp_sessions", "ltsp_rating", "ltsp_cluster_reachable"} {
		if got[name] != nil {
			t.Errorf("%s is there", name)
		}
	}
	if got["ltsp_drained"] == nil {
		t.Error("ltsp_drained is missing")
	}
}
