// Package cli is what all commands of the project have in common on the
// command line: --help and --version, GNU-style options and subcommands with
// the nearest name for a misspelt one, signals that end a context, messages as
// `name: what happened` on standard error, and exit statuses.
package cli
