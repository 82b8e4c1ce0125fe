package byhand

import (
	"os"
	"path/filepath"
	"testing"

	"goldm/internal/peer/peertest"
)

// A sound daemon in a folder that others can change is not told the cookie.
func TestAttackSoundSocket(t *testing.T) {
	peertest.NeedRoot(t)
	for name, tt := range map[string]struct {
		spoil func(path string) error
		safe  bool
	}{
		"one's own":   {func(path string) error { return os.Chmod(path, 0o700) }, true},
		"missing":     {os.Remove, true},
		"another's":   {func(path string) error { return os.Chown(path, peertest.Stranger, -1) }, false},
		"everybody's": {func(path string) error { return os.Chmod(path, 0o777|os.ModeSticky) }, false},
	} {
		for variable, below := range map[string]string{"XDG_RUNTIME_DIR": "pulse/native", "PULSE_RUNTIME_PATH": "native"} {
			path := filepath.Join(t.TempDir(), "runtime")
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := tt.spoil(path); err != nil {
				t.Fatal(err)
			}
			got, err := soundSocket(func(name string) string {
				if name == variable {
					return path
				}
				return ""
			})
			if (err == nil) != tt.safe || got != filepath.Join(path, below) {
				t.Errorf("%s: %s: %q, %v", variable, name, got, err)
			}
		}
	}
}
