package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"goldm/internal/cli/clitest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ltsp-server-agent": main})
}

func TestScripts(t *testing.T) { clitest.Run(t) }
