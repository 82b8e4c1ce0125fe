//go:build !amd64 && !arm64

package seccomp

import "golang.org/x/net/bpf"

// known tells whether this package knows the architecture's calls.
const known = false

func (f Filter) absent() []bpf.Instruction { return nil }

func (f Filter) hostile(uint32) []bpf.Instruction { return nil }

func nameOf(int32) string { return "" }
