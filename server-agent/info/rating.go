package info

import (
	"math"

	"goldm/internal/infowire"
)

// The constants of the rating.
const (
	// memoryEnough is the share of the memory that is as good as all of it, and
	// memoryNone the share at which a server has none to give away: less, and it
	// begins to throw out pages that it needs.
	memoryEnough = 0.50
	memoryNone   = 0.05

	// memoryPain is how much worse a wait for memory is than one for a processor: at
	// a tenth of the time a desktop is no pleasure any more.
	memoryPain = 5

	// roomPerCPU is how many sessions a processor has when half of its room is taken,
	// whatever they do at the moment.
	roomPerCPU = 8
)

// Rate returns how good a place for one more session the server is, from 0 to 100. It
// is a product, so that what runs short counts however much there is of the rest:
//
//	100 × processors × memory × pressure × room
//
// What is not known counts as 1; where nothing is known at all, neither is the rating.
func Rate(i infowire.Info) int {
	if i.Load == nil && i.Memory == nil && i.Pressure == nil {
		return infowire.Unknown
	}
	rating := 100 * processors(i.Load) * memory(i.Memory) * pressure(i.Pressure) * room(i)
	return int(math.Round(min(max(rating, 0), 100)))
}

// processors is 1 on an idle server, ½ when as many processes want to run as there are
// processors, ⅓ at twice as many. The load of one minute is late by nature; five
// minutes would be too late for a class that logs in.
func processors(l *infowire.Load) float64 {
	if l == nil {
		return 1
	}
	return 1 / (1 + l.One/float64(max(l.CPUs, 1)))
}

// memory falls from 1, where half of it is available, to 0.
func memory(m *infowire.Memory) float64 {
	if m == nil || m.Total <= 0 {
		return 1
	}
	available := float64(m.Available) / float64(m.Total)
	return share((available - memoryNone) / (memoryEnough - memoryNone))
}

// pressure is what the worst of the waits leaves.
func pressure(p *infowire.Pressure) float64 {
	if p == nil {
		return 1
	}
	return share(1 - max(p.CPU, p.IO, memoryPain*p.Memory)/100)
}

// room counts sessions, since those that have just begun show in nothing else yet.
func room(i infowire.Info) float64 {
	n := 1
	if i.Load != nil {
		n = max(i.Load.CPUs, 1)
	}
	return 1 / (1 + float64(max(i.Running, 0))/float64(roomPerCPU*n))
}

func share(x float64) float64 { return min(max(x, 0), 1) }

// RateLTSP5 returns LTSP 5's rating, which its clients know: of the load of fifteen
// minutes and the memory in use, whatever the number of processors.
func RateLTSP5(i infowire.Info) int {
	if i.Drained || i.Load == nil || i.Memory == nil {
		return 0
	}
	used := float64(i.Memory.Total-i.Memory.Available) / float64(i.Memory.Total)
	return max(0, 100-int(50*i.Load.Fifteen/8+50*used))
}
