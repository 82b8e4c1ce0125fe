package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"goldm/internal/cli/clitest"
	"goldm/session/byhand"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){byhand.Name: main})
}

func TestScripts(t *testing.T) { clitest.Run(t) }
