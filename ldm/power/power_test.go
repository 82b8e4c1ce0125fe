package power

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// login1 is a logind that remembers what it was asked for.
type login1 struct{ calls chan string }

func (l *login1) PowerOff(interactive bool) *dbus.Error { return l.took("PowerOff", interactive) }
func (l *login1) Reboot(interactive bool) *dbus.Error   { return l.took("Reboot", interactive) }

func (l *login1) took(method string, interactive bool) *dbus.Error {
	if interactive {
		return dbus.MakeFailedError(os.ErrPermission)
	}
	l.calls <- method
	return nil
}

// startBus starts a system bus of the test's own.
func startBus(t *testing.T) {
	t.Helper()
	program, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip(err)
	}
	daemon := exec.CommandContext(t.Context(), program, "--session", "--nofork", "--nopidfile", "--print-address")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { daemon.Process.Kill(); daemon.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", strings.TrimSpace(address))
}

func TestSwitchOff(t *testing.T) {
	startBus(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := SwitchOff(ctx, "halt"); err == nil {
		t.Error("no error without a logind")
	}
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	l := &login1{calls: make(chan string, 1)}
	if err := bus.Export(l, object, manager); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.RequestName(service, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	for action, want := range map[string]string{"halt": "PowerOff", "reboot": "Reboot"} {
		if err := SwitchOff(ctx, action); err != nil {
			t.Errorf("%s: %v", action, err)
		} else if got := <-l.calls; got != want {
			t.Errorf("%s: got %s", action, got)
		}
	}
	if err := SwitchOff(ctx, "explode"); err == nil {
		t.Error("no error")
	}
}

func TestNoBus(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent")
	if err := SwitchOff(t.Context(), "halt"); err == nil {
		t.Error("no error")
	}
}
