package main

import (
	"context"
	"slices"
)

// questions are what can be measured, by name.
var questions = map[string]func(*lab, context.Context) (string, error){
	"start":      (*lab).measureStart,
	"rtt":        (*lab).measureRoundTrips,
	"throughput": (*lab).measureThroughput,
	"scroll":     (*lab).measureScrolling,
	"typing":     (*lab).measureTyping,
	"login":      (*lab).measureLogin,
	"memory":     (*lab).measureMemory,
	"sound":      (*lab).measureSound,
	"waits":      (*lab).listWaits,
}

var titles = map[string]string{
	"start":      "Starting an application",
	"rtt":        "X round trip",
	"throughput": "Throughput",
	"scroll":     "Firefox",
	"typing":     "Typing",
	"login":      "Login",
	"memory":     "Memory",
	"sound":      "Sound",
	"waits":      "What a start waits for",
}

// order is that of the document.
var order = []string{"start", "rtt", "throughput", "scroll", "typing", "login", "memory", "sound"}

// onDemand are answered only for who asks: their place is not in the document.
var onDemand = []string{"waits"}

func questionNames() []string { return slices.Concat(order, onDemand) }

// roles are what this program does on the machines.
var roles = map[string]func(context.Context, []string) error{
	"count":   runCount,
	"ping":    runPing,
	"draw":    runDraw,
	"echo":    runEcho,
	"window":  runWindow,
	"tone":    runTone,
	"greeter": runGreeter,
}
