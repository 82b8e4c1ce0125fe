package menu

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"goldm/internal/bundle"
)

// The bounds of icons, in bytes.
const (
	maxIcon  = 64 << 10
	maxIcons = 4 << 20 // all of them
)

// sizes are the folders of the theme hicolor, the best for a menu first.
var sizes = []string{"48x48", "64x64", "128x128", "256x256", "32x32", "scalable", "24x24", "22x22", "16x16"}

// icon returns what stands for an icon on the server. Where the client's own picture is
// found it goes along under a name of its own; else the name stays, since the
// server's theme may have it.
func (c *collector) icon(name string) string {
	if known, ok := c.icons[name]; ok {
		return known
	}
	sent, err := c.addIcon(name)
	if err != nil {
		c.log.Debug("icon not sent", "icon", name, "why", err)
		sent = name
		if filepath.IsAbs(name) {
			sent = stem(name)
		}
	}
	c.icons[name] = sent
	return sent
}

// addIcon adds the picture of an icon, and returns its new name.
func (c *collector) addIcon(name string) (string, error) {
	found, data, err := c.findIcon(name)
	if err != nil {
		return "", err
	}
	if c.iconSize+len(data) > maxIcons {
		return "", errTooMuch
	}
	sent := Prefix + stem(name)
	for n := 2; c.sent(sent); n++ {
		sent = fmt.Sprintf("%s%s-%d", Prefix, stem(name), n)
	}
	folder := sizeOf(found, data)
	if err := c.add(path.Join(share, "icons/hicolor", folder, "apps", sent+strings.ToLower(filepath.Ext(found))), data); err != nil {
		return "", err
	}
	c.iconSize += len(data)
	return sent, nil
}

// sent tells whether an icon of that name goes along already.
func (c *collector) sent(name string) bool {
	return slices.ContainsFunc(c.files, func(f bundle.File) bool {
		return strings.HasPrefix(f.Path, share+"/icons/") && stem(f.Path) == name
	})
}

// stem is a file's name without the ending of a picture.
func stem(name string) string {
	name = filepath.Base(name)
	for _, ending := range endings {
		if cut := len(name) - len(ending); cut > 0 && strings.EqualFold(name[cut:], ending) {
			return name[:cut]
		}
	}
	return name
}

var endings = []string{".png", ".svg", ".xpm"}

// findIcon finds a picture: that at a path, or of a name in the theme that programs
// bring along.
func (c *collector) findIcon(name string) (string, []byte, error) {
	if filepath.IsAbs(name) {
		data, err := readPicture(name)
		return name, data, err
	}
	if strings.Contains(name, "/") {
		return "", nil, errors.New("neither a name nor a path")
	}
	for _, stem := range c.iconPaths(stem(name)) {
		for _, ending := range endings {
			if data, err := readPicture(stem + ending); err == nil {
				return stem + ending, data, nil
			}
		}
	}
	return "", nil, errors.New("no picture")
}

// iconPaths returns where an icon may be, without endings.
func (c *collector) iconPaths(name string) []string {
	var paths []string
	for _, size := range sizes {
		for _, dir := range c.DataDirs {
			paths = append(paths, filepath.Join(dir, "icons/hicolor", size, "apps", name))
		}
	}
	for _, dir := range c.DataDirs {
		paths = append(paths, filepath.Join(dir, "pixmaps", name), filepath.Join(dir, "icons", name))
	}
	return paths
}

// readPicture reads a picture in one of the formats of the Icon Theme Specification.
func readPicture(name string) ([]byte, error) {
	begins, ok := map[string]func([]byte) bool{".png": isPNG, ".svg": isSVG, ".xpm": isXPM}[strings.ToLower(filepath.Ext(name))]
	if !ok {
		return nil, errors.New("not the ending of a picture")
	}
	data, err := readBounded(name, maxIcon)
	if err != nil {
		return nil, err
	}
	if !begins(data) {
		return nil, errors.New("not the picture that its ending says")
	}
	return data, nil
}

func isPNG(data []byte) bool { return bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")) }

func isXPM(data []byte) bool { return bytes.HasPrefix(data, []byte("/* XPM */")) }

// isSVG looks for the root element, before which there may be declarations.
func isSVG(data []byte) bool {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	return bytes.HasPrefix(data, []byte("<")) && bytes.Contains(data[:min(len(data), 4<<10)], []byte("<svg"))
}

// sizeOf returns the folder for a picture: where desktops do not scale, it has to be
// of that size.
func sizeOf(name string, data []byte) string {
	if !isPNG(data) {
		return "scalable"
	}
	picture, err := png.DecodeConfig(bytes.NewReader(data))
	size := fmt.Sprintf("%dx%d", picture.Width, picture.Height)
	if err != nil || !slices.Contains(sizes, size) {
		return "scalable"
	}
	return size
}
