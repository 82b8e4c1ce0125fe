// Package power switches the machine off, or starts it anew, through logind.
package power

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"

	"goldm/ldm/wire"
)

// The names of org.freedesktop.login1(5).
const (
	service = "org.freedesktop.login1"
	object  = "/org/freedesktop/login1"
	manager = "org.freedesktop.login1.Manager"
)

var methods = map[string]string{wire.Halt: "PowerOff", wire.Reboot: "Reboot"}

// SwitchOff does what action says: wire.Halt or wire.Reboot. It returns when
// logind has taken it on.
func SwitchOff(ctx context.Context, action string) error {
	method, ok := methods[action]
	if !ok {
		return fmt.Errorf("switch off: %q", action)
	}
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("system bus: %w", err)
	}
	defer bus.Close()
	const interactive = false // nobody is there to be asked for a password
	if err := bus.Object(service, object).CallWithContext(ctx, manager+"."+method, 0, interactive).Err; err != nil {
		return fmt.Errorf("logind: %s: %w", method, err)
	}
	return nil
}
