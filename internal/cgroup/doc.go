// Package cgroup gives each login a cgroup of its own, with a child for each program
// that is started in it (cgroup v2, Documentation/admin-guide/cgroup-v2.rst of Linux).
//
// A Tree is this process's part of the hierarchy, below the cgroup that it was
// started in:
//
//	ldm-RANDOM/             locked as long as this process lives
//	ldm-RANDOM/ldm/         this process, and what it starts for itself
//	ldm-RANDOM/login-ID/    the limits of a login; no process of its own
//	ldm-RANDOM/login-ID/…/  one for each program
//
// Where there is no cgroup v2, or a controller is missing, Problems says so and
// the rest goes on without: pid namespaces and resource limits hold by themselves.
// All files belong to root, so no program moves itself elsewhere or lifts a limit.
package cgroup
