package main

// app is an application that is started.
type app struct {
	name    string
	command string // in a shell
	before  string // what is done before each start
}

var apps = []app{
	{name: "xterm", command: "xterm"},
	{name: "gtk3-demo", command: "gtk3-demo"},
	{name: "mousepad", command: "mousepad --disable-server"},
	{name: "qterminal", command: "qterminal"},
	{name: "firefox", command: firefox + "about:blank", before: newProfile},
}

// firefox has a profile that asks nothing, new each time.
const (
	firefox    = "firefox-esr --no-remote --profile /tmp/bench-profile "
	newProfile = `rm -rf /tmp/bench-profile; mkdir /tmp/bench-profile; printf 'user_pref("%s", %s);\n' ` +
		`browser.shell.checkDefaultBrowser false datareporting.policy.dataSubmissionEnabled false browser.aboutwelcome.enabled false ` +
		`browser.startup.page 0 toolkit.telemetry.reportingpolicy.firstRun false general.smoothScroll false >/tmp/bench-profile/user.js`
)

func appNames() []string {
	var names []string
	for _, a := range apps {
		names = append(names, a.name)
	}
	return names
}
