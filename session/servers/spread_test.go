package servers

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"goldm/internal/infowire"
	"goldm/ldm/wire"
	"goldm/server-agent/info"
)

// machine is a server of the simulation.
type machine struct {
	name    string
	cpus    int
	logins  []float64 // when each of its sessions began, in seconds
	load    float64   // of one minute, as the kernel damps it
	peak    float64   // of the load for each processor
	crowded int       // sessions that were starting at once, at most
}

const (
	starting = 20.0 // seconds in which a session that starts keeps a processor busy
	idle     = 0.05 // of a processor, that a session needs later
	memory   = 0.3  // GiB for each session
	perCPU   = 4.0  // GiB of memory that the server has
)

// tick lets a second pass.
func (m *machine) tick(now float64) {
	active, fresh := 0.0, 0
	for _, began := range m.logins {
		if now-began < starting {
			active, fresh = active+1, fresh+1
		} else {
			active += idle
		}
	}
	m.load += (active - m.load) * (1 - math.Exp(-1.0/60))
	m.peak = max(m.peak, m.load/float64(m.cpus))
	m.crowded = max(m.crowded, fresh)
}

// rating is what the server tells of itself, by its agent's own formula.
func (m *machine) rating() int {
	total := perCPU * float64(m.cpus)
	used := min(total, memory*float64(len(m.logins)))
	return max(1, info.Rate(infowire.Info{
		Load:    &infowire.Load{CPUs: m.cpus, One: m.load},
		Memory:  &infowire.Memory{Total: int64(total * (1 << 30)), Available: int64((total - used) * (1 << 30))},
		Running: len(m.logins),
	}))
}

// client is one that asks the servers every 20 seconds and logs in once.
type client struct {
	asks, logsIn float64
	known        []wire.Server
}

// simulate lets clients log in within seconds, by a policy that picks a server.
func simulate(r *rand.Rand, machines []*machine, clients int, within float64, pick func(names []string, known []wire.Server) string) {
	var names []string
	for _, m := range machines {
		names = append(names, m.name)
	}
	room := make([]*client, clients)
	for i := range room {
		room[i] = &client{asks: 20 * r.Float64(), logsIn: 20 + within*r.Float64()}
	}
	for now := 0.0; now < within+120; now++ {
		for _, c := range room {
			if now >= c.asks {
				c.asks += 15 + 10*r.Float64()
				c.known = nil
				for _, m := range machines {
					c.known = append(c.known, wire.Server{Name: m.name, State: wire.Up, RTT: 300, Rating: m.rating(), CPUs: m.cpus})
				}
			}
			if now >= c.logsIn {
				c.logsIn = math.Inf(1)
				chosen := machines[slices.Index(names, pick(names, c.known))]
				chosen.logins = append(chosen.logins, now)
			}
		}
		for _, m := range machines {
			m.tick(now)
		}
	}
}

func school() []*machine {
	return []*machine{{name: "alpha", cpus: 16}, {name: "beta", cpus: 16}, {name: "gamma", cpus: 8}}
}

// policies returns ways to pick a server by their names.
func policies(r *rand.Rand) map[string]func([]string, []wire.Server) string {
	return map[string]func([]string, []wire.Server) string{
		"first in list": func(names []string, _ []wire.Server) string { return names[0] },
		"best rating": func(_ []string, known []wire.Server) string {
			return slices.MaxFunc(known, func(a, b wire.Server) int { return a.Rating - b.Rating }).Name
		},
		"drawn": func(names []string, known []wire.Server) string { return Order(names, known, r.Float64)[0] },
	}
}

// Three servers, one of half the size, and 200 logins within a minute or five, by three
// policies. Who goes to the best goes there with everybody who asked at that time; that
// shows the more, the quicker they come.
func TestSpread(t *testing.T) {
	for _, within := range []float64{60, 300} {
		worst := make(map[string]int) // most sessions that were starting at once on a server, for 40 processors
		var table strings.Builder
		for _, policy := range []string{"first in list", "best rating", "drawn"} {
			r := rand.New(rand.NewPCG(9, 0))
			machines := school()
			simulate(r, machines, 200, within, policies(r)[policy])
			fmt.Fprintf(&table, "\n%-14s", policy)
			for _, m := range machines {
				fmt.Fprintf(&table, "  %s %3d logins, %2d at once, load %.2f a processor", m.name, len(m.logins), m.crowded, m.peak)
				worst[policy] = max(worst[policy], m.crowded*40/m.cpus)
				if fair := 200 * m.cpus / 40; policy == "drawn" && (len(m.logins) < fair/2 || len(m.logins) > fair*3/2) {
					t.Errorf("%s has %d of 200 logins; its share is %d", m.name, len(m.logins), fair)
				}
			}
		}
		t.Logf("200 logins within %v seconds:%s", within, table.String())
		if worst["drawn"] > worst["first in list"]*2/3 || within == 60 && worst["drawn"] >= worst["best rating"] {
			t.Errorf("at once: %v", worst)
		}
	}
}

// Thirty clients at nine o'clock, within two seconds, when no rating has changed yet.
func TestNine(t *testing.T) {
	for _, policy := range []string{"first in list", "best rating", "drawn"} {
		r := rand.New(rand.NewPCG(9, 0))
		machines := school()
		machines[2].cpus = 16
		simulate(r, machines, 30, 2, policies(r)[policy])
		var logins []int
		for _, m := range machines {
			logins = append(logins, len(m.logins))
		}
		t.Logf("%s: %v", policy, logins)
		if policy == "drawn" && (slices.Min(logins) < 3 || slices.Max(logins) > 20) {
			t.Errorf("%v of 30", logins)
		}
	}
}
