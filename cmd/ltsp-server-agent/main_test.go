package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"goldm/internal/cli/clitest"
	"goldm/server-agent/sessions"
)

func TestMain(m *testing.M) {
	// The second name is that of a session's keeper, which is the same program.
	testscript.Main(m, map[string]func(){"ltsp-server-agent": main, sessions.Keeper: main})
}

func TestScripts(t *testing.T) { clitest.Run(t) }
