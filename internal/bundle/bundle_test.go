package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoundTrip(t *testing.T) {
	want := []File{
		{"share/applications/ltsp-local-org.gnome.gedit.desktop", []byte("[Desktop Entry]\n")},
		{"xdg/" + strings.Repeat("x", 128), []byte{}},
		{"icon.png", bytes.Repeat([]byte{0, 1, 2}, 20_000)},
	}
	packed, err := Pack(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unpack(packed)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for name, files := range map[string][]File{
		"up":         {{Path: "../x"}},
		"large":      {{"x", make([]byte, MaxSize)}, {"y", []byte{0}}},
		"very many":  make([]File, MaxFiles+1),
		"no name":    {{Path: ""}},
		"deep":       {{Path: "a/b/c/d/e/f/g/h"}},
		"a blank":    {{Path: "a b"}},
		"hidden":     {{Path: "a/.b"}},
		"an option":  {{Path: "-x"}},
		"absolute":   {{Path: "/x"}},
		"no element": {{Path: "a//b"}},
	} {
		if _, err := Pack(files); err == nil {
			t.Errorf("%s: packed", name)
		}
	}
}

// archive packs headers without looking at them, each with so many bytes as it says.
func archive(headers ...tar.Header) []byte {
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	w := tar.NewWriter(zipped)
	for _, h := range headers {
		w.WriteHeader(&h)
		w.Write(make([]byte, h.Size))
	}
	w.Close()
	zipped.Close()
	return packed.Bytes()
}

func TestBadBundles(t *testing.T) {
	file := func(name string, size int64) tar.Header {
		return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size}
	}
	many := make([]tar.Header, MaxFiles+1)
	for i := range many {
		many[i] = file(fmt.Sprint("f", i), 0)
	}
	good := archive(file("x", 1000))
	for name, packed := range map[string][]byte{
		"nothing":    nil,
		"text":       []byte("hello"),
		"cut":        good[:len(good)/2],
		"up":         archive(file("a/../../x", 1)),
		"absolute":   archive(file("/etc/passwd", 1)),
		"a link":     archive(tar.Header{Typeflag: tar.TypeSymlink, Name: "x", Linkname: "/etc"}),
		"a folder":   archive(tar.Header{Typeflag: tar.TypeDir, Name: "x/"}),
		"a device":   archive(tar.Header{Typeflag: tar.TypeChar, Name: "x"}),
		"twice":      archive(file("x", 1), file("x", 1)),
		"a bomb":     archive(file("x", MaxSize+1)),
		"many large": archive(file("x", MaxSize), file("y", 1)),
		"very many":  archive(many...),
		"a NUL":      archive(tar.Header{Typeflag: tar.TypeReg, Name: "x\x00y", Format: tar.FormatPAX}),
		"over size":  make([]byte, MaxSize+1),
	} {
		if files, err := Unpack(packed); err == nil && len(files) > 0 || err == nil && name != "a NUL" {
			t.Errorf("%s: %d files", name, len(files))
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(archive(tar.Header{Typeflag: tar.TypeReg, Name: "a/b", Size: 3}))
	f.Fuzz(func(t *testing.T, packed []byte) {
		files, err := Unpack(packed)
		size := 0
		for _, file := range files {
			if !ValidPath(file.Path) {
				t.Errorf("path %q", file.Path)
			}
			size += len(file.Data)
		}
		if size > MaxSize || err != nil && files != nil {
			t.Errorf("%d bytes, %v", size, err)
		}
	})
}
