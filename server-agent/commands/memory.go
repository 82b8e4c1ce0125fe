package commands

import (
	"math"
	"os"
	"runtime/debug"

	"goldm/server-agent/cluster"
	"goldm/server-agent/control/server"
	"goldm/server-agent/serve"
)

const (
	// ownMemory is what the daemon takes beside what strangers can make it take, in bytes: the
	// libraries' own, what it tells of this server, and its metrics.
	ownMemory = 40 << 20

	// liveMemory is all that is in use at a time where every bound is met.
	liveMemory = ownMemory + cluster.MaxMemory + server.MaxMemory + serve.MaxMemory

	// MemoryLimit is what Go's runtime keeps the daemon under, garbage included, in bytes. A
	// collector that had less room than a fifth would take the processor.
	MemoryLimit = liveMemory + liveMemory/5
)

// boundMemory has the garbage collected before the unit's MemoryMax is met, unless the
// administrator has set another limit. By itself the collector lets the heap double.
func boundMemory() {
	if os.Getenv("GOMEMLIMIT") == "" && debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(MemoryLimit)
	}
}
