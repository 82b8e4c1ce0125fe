package cli

import (
	"fmt"
	"runtime/debug"
)

// Version is set by the linker: -ldflags '-X goldm/internal/cli.Version=1.2'.
var Version string

// ProgramVersion returns the version of the program: Version, else what the Go
// command noted while it built.
func ProgramVersion() string {
	if Version != "" {
		return Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

func versionOutput(program string) output {
	return output(fmt.Sprintf("%s %s\n", program, ProgramVersion()))
}
