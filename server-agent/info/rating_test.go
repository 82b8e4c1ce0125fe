package info

import (
	"testing"

	"goldm/internal/infowire"
)

// server is one of four processors and 8 GiB.
func server(load float64, available float64, p *infowire.Pressure, running int) infowire.Info {
	const total = 8 << 30
	return infowire.Info{
		Load:     &infowire.Load{CPUs: 4, One: load},
		Memory:   &infowire.Memory{Total: total, Available: int64(available * total)},
		Pressure: p,
		Running:  running,
	}
}

func TestRate(t *testing.T) {
	calm := &infowire.Pressure{}
	big := server(8, 1, calm, 16)
	big.Load.CPUs = 16
	for _, tt := range []struct {
		name string
		info infowire.Info
		want int
	}{
		{"idle", server(0, 1, calm, 0), 100},
		{"half of the memory is as good as all", server(0, 0.5, calm, 0), 100},
		{"no PSI", server(0, 1, nil, 0), 100},
		{"every processor is busy", server(4, 1, calm, 0), 50},
		{"twice as much to do", server(8, 1, calm, 0), 33},
		{"out of memory, idle otherwise", server(0, 0.05, calm, 0), 0},
		{"less than nothing to give", server(0, 0.01, calm, 0), 0},
		{"a quarter of the memory", server(0, 0.275, calm, 0), 50},
		{"everything waits for processors", server(0, 1, &infowire.Pressure{CPU: 100}, 0), 0},
		{"half waits for disks", server(0, 1, &infowire.Pressure{IO: 50}, 0), 50},
		{"the worst of the waits counts", server(0, 1, &infowire.Pressure{CPU: 20, IO: 40, Memory: 1}, 0), 60},
		{"a tenth waits for memory", server(0, 1, &infowire.Pressure{Memory: 10}, 0), 50},
		{"full of sessions that do nothing", server(0, 1, calm, 32), 50},
		{"sessions unknown", server(0, 1, calm, infowire.Unknown), 100},
		{"some of everything", server(2, 0.4, &infowire.Pressure{CPU: 10}, 8), 37},
		{"four times the processors", big, 59},
		{"only the load is known", infowire.Info{Load: &infowire.Load{CPUs: 1, One: 1}}, 50},
		{"no processor counted", infowire.Info{Load: &infowire.Load{}}, 100},
		{"no memory at all", infowire.Info{Load: &infowire.Load{CPUs: 1}, Memory: &infowire.Memory{}}, 100},
		{"nothing is known", infowire.Info{Running: 3}, infowire.Unknown},
	} {
		if got := Rate(tt.info); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// More of anything that burdens a server never makes it a better place.
func TestRateFalls(t *testing.T) {
	last := 101
	for n := range 50 {
		x := float64(n)
		got := Rate(server(x, 1-x/50, &infowire.Pressure{CPU: x, Memory: x / 10, IO: x}, n))
		if got > last {
			t.Errorf("%d after %d", got, last)
		}
		last = got
	}
}

func TestRateLTSP5(t *testing.T) {
	rate := func(fifteen, available float64) infowire.Info {
		i := server(0, available, nil, 0)
		i.Load.Fifteen = fifteen
		return i
	}
	drained := rate(0, 1)
	drained.Drained = true
	for _, tt := range []struct {
		name string
		info infowire.Info
		want int
	}{
		{"idle and empty", rate(0, 1), 100},
		{"half full", rate(0, 0.5), 75},
		{"fractions fall away", rate(0.1, 0.9), 95}, // 100 − int(0.625 + 5.000…)
		{"a load of 8", rate(8, 1), 50},
		{"no less than 0", rate(100, 0.1), 0},
		{"drained", drained, 0},
		{"unknown", infowire.Info{}, 0},
	} {
		if got := RateLTSP5(tt.info); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
