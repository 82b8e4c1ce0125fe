package greetd

// PulseVariable names the descriptor of a pipe on which the daemon takes signs of life of its greeter. Each
// is one byte: within how many seconds the next one comes. The daemon watches only a greeter that has
// written one, so greeters that do not know of the pipe are left alone. Ours.
const PulseVariable = "LDM_PULSE_FD"
