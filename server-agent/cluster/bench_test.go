package cluster_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkHundredServers is a school that logs in within the same moment: a hundred servers, all
// in this process, with fifty logins each, and three members of etcd.
func BenchmarkHundredServers(b *testing.B) {
	const servers, logins = 100, 50
	e := startEtcd(b, 3, "")
	var agents []*agent
	for i := range servers {
		agents = append(agents, e.join(fmt.Sprintf("s%d", i), endless))
	}
	together(b, agents...)
	for round := range b.N {
		var mu sync.Mutex
		var took []time.Duration
		var all sync.WaitGroup
		for i, a := range agents {
			all.Go(func() {
				for n := range logins {
					id := fmt.Sprintf("%d-%d-%d", round, i, n)
					begin := time.Now()
					a.claim(b, session("user"+id, fmt.Sprintf("s%d", i), id))
					mu.Lock()
					took = append(took, time.Since(begin))
					mu.Unlock()
				}
			})
		}
		all.Wait()
		eventually(b, "all know of all", func() bool {
			return !slices.ContainsFunc(agents, func(a *agent) bool { return len(a.Sessions()) != (round+1)*servers*logins })
		})
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "ms-median/login")
		b.ReportMetric(float64(took[len(took)*99/100].Milliseconds()), "ms-99%/login")
	}
}

// BenchmarkClaim is one login while nobody else logs in.
func BenchmarkClaim(b *testing.B) {
	e := startEtcd(b, 3, "")
	a := e.join("a", endless)
	together(b, a)
	b.ResetTimer()
	for n := range b.N {
		a.claim(b, session(fmt.Sprint("user", n), "a", fmt.Sprint(n)))
	}
}
