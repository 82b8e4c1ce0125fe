package info

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"goldm/internal/infowire"
)

func (s *Source) load(note func(error)) *infowire.Load {
	text, err := s.read("proc/loadavg")
	if err != nil {
		note(err)
		return nil
	}
	load, err := parseLoad(text)
	if err != nil {
		note(fmt.Errorf("/proc/loadavg: %w", err))
		return nil
	}
	load.CPUs = cpus()
	return load
}

// parseLoad reads the first three numbers of proc_loadavg(5).
func parseLoad(text string) (*infowire.Load, error) {
	load := new(infowire.Load)
	fields := strings.Fields(text)
	for n, to := range []*float64{&load.One, &load.Five, &load.Fifteen} {
		if n >= len(fields) {
			return nil, errors.New("three numbers were due")
		}
		var err error
		if *to, err = parseNumber(fields[n]); err != nil {
			return nil, err
		}
	}
	return load, nil
}

// parseNumber reads a number that JSON and a rating can do with.
func parseNumber(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || n < 0 || n > 1e9 {
		return 0, fmt.Errorf("%.40q is no number", text)
	}
	return n, nil
}

func (s *Source) memory(note func(error)) *infowire.Memory {
	text, err := s.read("proc/meminfo")
	if err != nil {
		note(err)
		return nil
	}
	memory, err := parseMemory(text)
	if err != nil {
		note(fmt.Errorf("/proc/meminfo: %w", err))
		return nil
	}
	return memory
}

// parseMemory reads lines such as "MemTotal:  8123456 kB" (proc_meminfo(5)).
func parseMemory(text string) (*infowire.Memory, error) {
	memory := &infowire.Memory{Total: -1, Available: -1}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		to := map[string]*int64{"MemTotal:": &memory.Total, "MemAvailable:": &memory.Available}[fields[0]]
		if to == nil {
			continue
		}
		kilobytes, err := strconv.ParseInt(fields[1], 10, 53)
		if err != nil || kilobytes < 0 {
			return nil, fmt.Errorf("%.40q is no size", fields[1])
		}
		*to = kilobytes << 10
	}
	if memory.Total <= 0 || memory.Available < 0 || memory.Available > memory.Total {
		return nil, errors.New("no MemTotal or MemAvailable that makes sense")
	}
	return memory, nil
}

// pressure is nil where the kernel has no PSI, or was told not to measure it.
func (s *Source) pressure(note func(error)) *infowire.Pressure {
	p := new(infowire.Pressure)
	for name, to := range map[string]*float64{"cpu": &p.CPU, "memory": &p.Memory, "io": &p.IO} {
		text, err := s.read("proc/pressure/" + name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EOPNOTSUPP) {
			return nil
		}
		if err == nil {
			*to, err = parsePressure(text)
		}
		if err != nil {
			note(fmt.Errorf("/proc/pressure/%s: %w", name, err))
			return nil
		}
	}
	return p
}

// parsePressure reads avg10 of a line such as
// "some avg10=1.53 avg60=0.87 avg300=0.53 total=7348".
func parsePressure(text string) (float64, error) {
	for line := range strings.Lines(text) {
		rest, some := strings.CutPrefix(line, "some ")
		if !some {
			continue
		}
		for field := range strings.FieldsSeq(rest) {
			if value, found := strings.CutPrefix(field, "avg10="); found {
				n, err := parseNumber(value)
				return min(n, 100), err
			}
		}
	}
	return 0, errors.New(`no "some avg10="`)
}
