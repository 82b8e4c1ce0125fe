package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"goldm/internal/cli/clitest"
	"goldm/server-agent/agent"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){agent.Name: main})
}

func TestScripts(t *testing.T) { clitest.Run(t) }
