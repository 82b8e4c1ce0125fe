package commands

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"goldm/server-agent/cluster"
	"goldm/server-agent/control/server"
	"goldm/server-agent/serve"
)

const unit = "../../packaging/systemd/ltsp-server-agent.service"

// setting returns a number of the unit's file, in bytes where it has a suffix.
func setting(t *testing.T, name string) int64 {
	t.Helper()
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + name + `=(\d+)([KMG]?)$`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s has no %s", unit, name)
	}
	number, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	shift := map[string]int{"": 0, "K": 10, "M": 20, "G": 30}
	return number << shift[string(found[2])]
}

// Strangers that meet every bound of the daemon do not make it meet those of its unit.
func TestAttackUnitBounds(t *testing.T) {
	const (
		conns = serve.MaxConns + server.MaxWaiting + server.MaxSessions + maxScrapes

		// What counts for the unit and is not Go's: the kernel's part of a connection, and the
		// processes of getent(1) and locale(1).
		kernel   = conns * 6 << 10
		children = (server.MaxLookups + 2) * 4 << 20
	)
	all := int64(MemoryLimit + kernel + children)
	for _, part := range []struct {
		name  string
		bytes int64
	}{
		{"its own", ownMemory}, {"cluster", cluster.MaxMemory}, {"socket", server.MaxMemory}, {"ports", serve.MaxMemory},
		{"in use", liveMemory}, {"with garbage", MemoryLimit}, {"kernel", kernel}, {"children", children}, {"all", all},
	} {
		t.Logf("%-12s %4d MB", part.name, part.bytes>>20)
	}
	if most := setting(t, "MemoryMax"); all > most {
		t.Errorf("the bounds add up to %d bytes, MemoryMax is %d", all, most)
	}
	if most := setting(t, "LimitNOFILE"); conns+100 > most {
		t.Errorf("the bounds allow %d connections, LimitNOFILE %d files", conns, most)
	}
	if most := setting(t, "TasksMax"); server.MaxLookups+100 > most { // and Go's threads
		t.Errorf("TasksMax is %d", most)
	}
}
