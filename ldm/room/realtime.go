package room

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// MayRaise reports whether this process can give others what Command.Realtime
// asks for: root can, a container's often cannot.
func MayRaise() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData // of version 3: capget(2)
	err := unix.Capget(&header, &data[0])
	return err == nil && data[0].Effective&(1<<unix.CAP_SYS_RESOURCE) != 0
}

// allowRealtime lets the program choose real-time scheduling and a better nice
// value for itself, as rtkit would, and with rtkit's guard: who does not give
// the processor back for 200 ms is killed (getrlimit(2)).
func allowRealtime() error {
	for _, r := range []struct {
		resource int
		limit    uint64
	}{
		{unix.RLIMIT_RTTIME, 200_000}, {unix.RLIMIT_RTPRIO, 20}, {unix.RLIMIT_NICE, 20 + 11}, // nice -11
	} {
		if err := unix.Setrlimit(r.resource, &unix.Rlimit{Cur: r.limit, Max: r.limit}); err != nil {
			return fmt.Errorf("limit %d: %w", r.resource, err)
		}
	}
	return nil
}
