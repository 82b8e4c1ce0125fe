package control_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"goldm/server-agent/control"
)

func TestNoDaemon(t *testing.T) {
	if _, err := control.Dial(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
