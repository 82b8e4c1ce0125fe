// Package config reads ltsp.conf and lts.conf, the files that LTSP's
// administrators know, for one client.
//
// Values are data: quotes and escapes mean what they mean to a shell, nothing
// is expanded or executed. What is not an assignment, not ours, or makes no
// sense is a Problem with its place, never a reason to have no configuration.
package config
