package sound

import "fmt"

// pipeWire is PipeWire with WirePlumber, 0.4 and 0.5, and its PulseAudio server.
// That one lets its clients load a module that listens on the network, before
// 0.3.77 in any case, and therefore sees none.
var pipeWire = Daemon{
	name: "pipewire",
	processes: []process{
		{args: []string{"pipewire"}},
		{args: []string{"wireplumber"}, after: []string{"pipewire-0"}, network: true}, // udev's events are the network's
		{args: []string{"pipewire-pulse"}, after: []string{"pipewire-0"}, serves: true},
	},
	files: func(c *Config) map[string]string {
		return map[string]string{
			"pipewire/pipewire-pulse.conf.d/ldm.conf": fmt.Sprintf(pulseServer, c.socket()),
			// WirePlumber 0.4
			"wireplumber/main.lua.d/60-ldm.lua":      fmt.Sprintf(luaMain, cubic(c.Volume)),
			"wireplumber/bluetooth.lua.d/60-ldm.lua": "bluez_monitor.enabled = false\n",
			// WirePlumber 0.5
			"wireplumber/wireplumber.conf.d/ldm.conf": fmt.Sprintf(wirePlumber, cubic(c.Volume)),
		}
	},
	env: func(c *Config) []string {
		return []string{
			"XDG_CONFIG_HOME=" + c.path(configDir),
			// Errors, but for the lack of a bus.
			"PIPEWIRE_DEBUG=1,mod.rt:0,mod.portal:0,mod.jackdbus-detect:0,spa.dbus:0",
			"WIREPLUMBER_DEBUG=1,mod.rt:0,spa.dbus:0",
		}
	},
}

const pulseServer = `pulse.properties = {
    server.address = [ "unix:%s" ]
    pulse.allow-module-loading = false
}
`

const luaMain = `alsa_monitor.properties["alsa.reserve"] = false
default_access.properties["enable-flatpak-portal"] = false
device_defaults.properties["default-volume"] = %.6f
libcamera_monitor.enabled = false
v4l2_monitor.enabled = false
`

const wirePlumber = `wireplumber.settings = {
    device.routes.default-sink-volume = %.6f
}
wireplumber.profiles = {
    main = {
        hardware.bluetooth = disabled
        hardware.video-capture = disabled
        support.logind = disabled
        support.portal-permissionstore = disabled
        support.reserve-device = disabled
    }
}
`
