package sound

import "fmt"

// pulseAudio is PulseAudio, 15 and later. Modules are loaded at its start and
// then no more, since a program on the server could load one that listens on
// the network (pulse-daemon.conf(5), allow-module-loading). That alone keeps it
// from the network, which it has to see: udev tells of a new sound card by a
// netlink socket, and only within its own network namespace. Memory cannot be
// shared through SSH.
var pulseAudio = Daemon{
	name: "pulseaudio",
	processes: []process{{
		args: []string{
			"pulseaudio", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1",
			"--disallow-module-loading=yes", "--disallow-exit=yes",
			"--disable-shm=yes", "--enable-memfd=no",
			"--log-target=stderr", "--log-level=error",
		},
		options: func(c *Config) []string {
			return []string{fmt.Sprintf("--realtime=%t", c.Realtime), fmt.Sprintf("--high-priority=%t", c.Realtime)}
		},
		serves:  true,
		network: true,
	}},
	files: func(c *Config) map[string]string {
		return map[string]string{"default.pa": pulseScript(c)}
	},
	env: func(c *Config) []string { return []string{"PULSE_SCRIPT=" + c.path(configDir+"/default.pa")} },
}

// pulseScript is in the language of pulse-cli-syntax(5). What follows .nofail
// depends on the sound cards, and there may be none. A headset that is plugged
// in later becomes the default, as WirePlumber has it by its priorities.
func pulseScript(c *Config) string {
	return fmt.Sprintf(`load-module module-always-sink
load-module module-native-protocol-unix socket=%s auth-cookie=%s auth-cookie-enabled=yes auth-group-enable=no srbchannel=no
.nofail
load-module module-udev-detect
load-module module-switch-on-port-available
load-module module-switch-on-connect
set-sink-volume @DEFAULT_SINK@ %d
set-sink-mute @DEFAULT_SINK@ no
`, c.socket(), c.path(cookieFile), 0x10000*c.Volume/100)
}
