// Command ldm is the display manager of a thin client: it shows the login
// screen, logs the user in to a server and runs the session.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"goldm/internal/cli"
	"goldm/internal/logs"
	"goldm/internal/privs"
	"goldm/ldm"
	"goldm/ldm/config"
	"goldm/ldm/fence"
	"goldm/ldm/home"
	"goldm/ldm/room"
	"goldm/ldm/status"
)

const (
	runDir = "/run/ldm"
	seat   = "seat0"
)

func main() { os.Exit(cli.Main("ldm", run)) }

func run(ctx context.Context, args []string) error {
	program := cli.Program{
		Name:    "ldm",
		About:   "ldm shows a thin client's login screen and runs the session of who logs in.",
		Default: "run",
		Commands: []cli.Command{
			{Name: "run", Summary: "run the seat, in the foreground (the default)", Run: runSeat},
			{Name: "check", Summary: "print a client's effective settings, and what is wrong with the file", Run: check},
			{Name: "status", Summary: "print what this computer's seat is doing", Run: printStatus},
			{Name: "fence", Run: func(_ context.Context, args []string) error { return fence.Main(args) }},
			{Name: "room", Run: func(_ context.Context, args []string) error { return room.Main(args) }},
			{Name: "home", Run: func(_ context.Context, args []string) error { return home.Main(args) }},
		},
	}
	return program.Run(ctx, args)
}

func runSeat(ctx context.Context, args []string) error {
	flags := cli.NewFlags("ldm run", "", "Run the seat in the foreground until TERM or INT.")
	file := flags.String("config", "", "read `FILE` instead of /etc/ltsp/ltsp.conf or /etc/lts.conf")
	if err := flags.NoOperands(args); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("the seat's programs run as several users: start ldm as root")
	}
	syscall.Umask(0o077)
	// What whoever started us left open is not for our children: close_range(2).
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("inherited descriptors: %w", err)
	}
	if err := errors.Join(privs.Conceal(), privs.Limit(ldm.Capabilities())); err != nil {
		return err
	}
	client := config.ThisClient()
	settings, fault := config.Load(paths(*file), client)
	if settings == nil {
		return fault
	}
	log, closeLog := logs.Open(os.Stderr, settings.LogLevel)
	defer closeLog()
	if fault != nil {
		log.Error("using the default settings", "cause", fault)
	}
	for _, p := range settings.Problems {
		log.Warn("configuration", "problem", p.String())
	}
	for _, p := range settings.Warnings {
		log.Warn("configuration", "warning", p.String())
	}
	for _, lack := range fence.Support() {
		log.Warn("fences", "lack", lack)
	}
	users, err := ldm.LookupUsers()
	if err != nil {
		return err
	}
	settings.Greeter[0] = beside(settings.Greeter[0])
	log.Info("started", "version", cli.ProgramVersion(), "servers", settings.Servers)
	return ldm.Run(ctx, ldm.Config{
		Name: seat, RunDir: runDir, Console: "/dev/console",
		Settings: settings, Client: client, Users: users, ConfigFiles: paths(*file),
		Worker: beside("ldm-session"), Greeter: beside("ldm-greeter"),
		Fence: []string{"/proc/self/exe", "fence"},
		Room:  []string{"/proc/self/exe", "room"},
		Home:  []string{"/proc/self/exe", "home"},
		Log:   log,
	})
}

func printStatus(_ context.Context, args []string) error {
	flags := cli.NewFlags("ldm status", "", "Print what the seat of this computer is doing, and what is missing here. Needs root.")
	asJSON := flags.Bool("json", false, "as one JSON object, for programs")
	if err := flags.NoOperands(args); err != nil {
		return err
	}
	s, err := status.Read(filepath.Join(runDir, seat))
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(os.Stdout).Encode(s)
	}
	_, err = fmt.Print(s)
	return err
}

func paths(file string) []string {
	if file != "" {
		return []string{file}
	}
	return config.Paths()
}

// beside returns where a program of ours is: next to this one, else wherever
// PATH says.
func beside(name string) string {
	self, err := os.Executable()
	if err != nil || filepath.Base(name) != name {
		return name
	}
	if path := filepath.Join(filepath.Dir(self), name); executable(path) {
		return path
	}
	return name
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func check(_ context.Context, args []string) error {
	flags := cli.NewFlags("ldm check", "", "Print the effective settings of this client, or of the one described.")
	file := flags.String("config", "", "read `FILE` instead of /etc/ltsp/ltsp.conf or /etc/lts.conf")
	host := flags.String("host", "", "the client's host `NAME`")
	ip := flags.String("ip", "", "the client's IP `ADDR`ess")
	mac := flags.String("mac", "", "the client's hardware `ADDR`ess")
	verbose := flags.Bool("v", false, "say where each setting came from")
	if err := flags.NoOperands(args); err != nil {
		return err
	}
	client := config.ThisClient()
	if *host != "" || *ip != "" || *mac != "" {
		client = config.Client{Hostname: *host, Addresses: given(*ip), MACs: given(*mac)}
	}
	settings, err := config.Load(paths(*file), client)
	if err != nil {
		return err
	}
	printSettings(settings, *verbose)
	for _, p := range settings.Problems {
		fmt.Fprintln(os.Stderr, p)
	}
	for _, p := range settings.Warnings {
		fmt.Fprintln(os.Stderr, "warning:", p)
	}
	if len(settings.Problems) > 0 {
		return cli.Exit(1)
	}
	return nil
}

func given(word string) []string {
	if word == "" {
		return nil
	}
	return []string{word}
}

func printSettings(s *config.Settings, verbose bool) {
	for _, name := range s.Names() {
		value := s.Values[name]
		if verbose {
			fmt.Printf("%s=%s\t# %s\n", name, value.Text, value.Source)
		} else {
			fmt.Printf("%s=%s\n", name, value.Text)
		}
	}
}
