package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// said returns what f writes to standard error.
func said(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	real := os.Stderr
	os.Stderr = w
	f()
	os.Stderr = real
	w.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A password that others can read is a warning, which changes no exit status, and is not shown.
func TestCheckPassword(t *testing.T) {
	folder, err := os.MkdirTemp("/tmp", "ldm-check")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "ltsp.conf")
	for _, tt := range []struct {
		folder os.FileMode
		text   string
		warns  bool
		fails  bool
	}{
		{0o755, "LDM_PASSWORD=geheim\n", true, false},
		{0o700, "LDM_PASSWORD=geheim\n", false, false},
		{0o755, "LDM_PASSWORD=geheim\nLDM_GUESTLOGIN=perhaps\n", true, true},
	} {
		if err := os.Chmod(folder, tt.folder); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		var failed error
		text := said(t, func() { failed = check(t.Context(), []string{"--config", file}) })
		if warns := strings.Contains(text, "warning: "+file+":1: LDM_PASSWORD"); warns != tt.warns || strings.Contains(text, "geheim") {
			t.Errorf("%04o, %q: it says %q", tt.folder, tt.text, text)
		}
		if (failed != nil) != tt.fails {
			t.Errorf("%04o, %q: %v", tt.folder, tt.text, failed)
		}
	}
}
