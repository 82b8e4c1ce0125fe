// Package gtk paints the login screen and the question window on X11 with
// GTK 3. It is the only package that imports gotk3, which takes minutes to compile.
//
// Login and Ask each lock their goroutine to its thread, which from then on is
// GTK's; everything that touches a widget runs there, other goroutines get in by
// glib.IdleAdd. The windows are described in the .ui files, their looks in
// style.css, in em, so that one font size fits them to the monitor.
package gtk
