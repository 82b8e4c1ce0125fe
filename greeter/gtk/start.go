package gtk

import (
	"cmp"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/gotk3/gotk3/gdk"
	"github.com/gotk3/gotk3/glib"
	"github.com/gotk3/gotk3/gtk"

	"goldm/internal/failure"
)

//go:embed style.css
var style string

// start makes the calling thread GTK's and opens the display.
func start() error {
	runtime.LockOSThread()
	if err := environment(); err != nil {
		return err
	}
	// By default gotk3 gives up objects on the garbage collector's thread, and GTK
	// is not made for that.
	glib.FinalizerStrategy = func(f glib.Finalizer) { glib.IdleAdd(func() { f() }) }
	if err := gtk.InitCheck(nil); err != nil {
		return failure.New(err, "The display %q cannot be opened.", os.Getenv("DISPLAY"))
	}
	return addStyle(style)
}

// environment keeps GTK from what a login screen has no use for: GLX, which costs
// 50 MB; the settings of a desktop, which start a daemon; the accessibility
// bus where there is no bus that would lead to it.
func environment() error {
	set := map[string]string{
		"GDK_BACKEND":       "x11",
		"GDK_GL":            "disable",
		"GSETTINGS_BACKEND": "memory",
	}
	if !haveBus() {
		set["NO_AT_BRIDGE"] = "1"
	}
	for name, value := range set {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

func haveBus() bool {
	for _, name := range []string{"DBUS_SESSION_BUS_ADDRESS", "AT_SPI_BUS_ADDRESS"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, "bus"))
	return err == nil
}

// addStyle adds a style sheet to all windows.
func addStyle(css string) error {
	screen, err := gdk.ScreenGetDefault()
	if err != nil {
		return fmt.Errorf("screen: %w", err)
	}
	provider, err := gtk.CssProviderNew()
	if err != nil {
		return fmt.Errorf("style sheet: %w", err)
	}
	if err := provider.LoadFromData(css); err != nil {
		return fmt.Errorf("style sheet: %w", err)
	}
	gtk.AddProviderForScreen(screen, provider, uint(gtk.STYLE_PROVIDER_PRIORITY_APPLICATION))
	return nil
}

// area is a monitor's place on the screen, in pixels.
type area struct{ x, y, width, height int }

// monitor returns the primary monitor, or the first where none is primary.
func monitor() (area, error) {
	display, err := gdk.DisplayGetDefault()
	if err != nil {
		return area{}, fmt.Errorf("display: %w", err)
	}
	m, err := display.GetPrimaryMonitor()
	if err != nil {
		if m, err = display.GetMonitor(0); err != nil {
			return area{}, fmt.Errorf("monitor: %w", err)
		}
	}
	r := m.GetGeometry()
	return area{r.GetX(), r.GetY(), r.GetWidth(), r.GetHeight()}, nil
}

// em is the font size that suits the monitor, in pixels: what its maker says about
// millimetres is wrong too often.
func (a area) em() int {
	return max(14, min(a.height, a.width*3/4)/48)
}

// loader takes widgets out of a .ui file and keeps the first error.
type loader struct {
	builder *gtk.Builder
	err     error
}

func load(ui string) *loader {
	builder, err := gtk.BuilderNew()
	if err == nil {
		err = builder.AddFromString(ui)
	}
	return &loader{builder, err}
}

// widget returns the widget with an id, or T's zero value and sets l.err.
func widget[T any](l *loader, id string) T {
	var none T
	if l.err != nil {
		return none
	}
	object, err := l.builder.GetObject(id)
	if err != nil {
		l.err = err
		return none
	}
	w, ok := object.(T)
	if !ok {
		l.err = cmp.Or(l.err, fmt.Errorf("%s is a %T", id, object))
	}
	return w
}
