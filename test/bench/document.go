package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// heading begins a question's section.
func heading(name string) string { return "## " + titles[name] + "\n\n" }

// about names the machine that the figures are from.
func about() string {
	return fmt.Sprintf("`make bench BENCH=…` of %s on %s, %d processors, Linux %s.\n",
		time.Now().UTC().Format(time.DateOnly), cpuModel(), runtime.NumCPU(), kernel())
}

// cpuModel is what /proc/cpuinfo calls the first processor.
func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(text))
}

// writeSection puts a question's section into a document, between the marks
// that it has for it.
func writeSection(path, name, section string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed, err := replaceSection(string(text), name, section)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(changed), 0o644)
}

// replaceSection puts a section between "<!-- bench NAME -->" and "<!-- end -->".
func replaceSection(text, name, section string) (string, error) {
	begin := "<!-- bench " + name + " -->\n"
	before, rest, found := strings.Cut(text, begin)
	if !found {
		return "", fmt.Errorf("no place for it: %q is missing", strings.TrimSpace(begin))
	}
	const end = "<!-- end -->"
	at := strings.Index(rest, end)
	if at < 0 || strings.Contains(rest[:at], "<!-- bench ") {
		return "", errors.New(name + ": its end is missing")
	}
	return before + begin + strings.TrimRight(section, "\n") + "\n" + rest[at:], nil
}
