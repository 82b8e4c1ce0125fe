package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"goldm/internal/cli"
	"goldm/internal/testbed"
)

func main() {
	testbed.Init()
	os.Exit(cli.Main("goldm-bench", run))
}

// options are what is to be measured.
type options struct {
	questions []string
	links     []setting
	apps      []string
	runs      int
	bin       string // where make build has put the programs
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		if role, ok := roles[args[0]]; ok {
			return role(ctx, args[1:])
		}
	}
	flags := cli.NewFlags("goldm-bench", "", "Measure remote sessions, and print a table for each question.")
	bench := flags.String("bench", "", "answer these `QUESTIONS`, with commas between: "+strings.Join(questionNames(), ", ")+"; empty for all but waits")
	rtt := flags.String("rtt", "", "round-trip `TIMES` of the link, such as 0.3ms,50ms; empty for what suits the question")
	mbit := flags.String("mbit", "", "`RATES` of the link in Mbit/s; empty for 1000 under 1 ms, else 100")
	apps := flags.String("apps", "", "`APPLICATIONS` to start, of "+strings.Join(appNames(), ", ")+"; empty for all")
	runs := flags.Int("runs", 5, "how often each is measured")
	document := flags.String("write", "", "put the tables into a `DOCUMENT` too, in the place of its old ones")
	if err := flags.NoOperands(args); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o := options{runs: *runs, bin: filepath.Dir(self)}
	if o.questions, err = choose(*bench, questionNames(), order); err == nil {
		o.apps, err = choose(*apps, appNames(), appNames())
	}
	if err == nil {
		o.links, err = parseLinks(*rtt, *mbit)
	}
	if err != nil {
		return cli.Usage(err)
	}
	return answer(ctx, o, *document)
}

// answer answers the questions one after the other, and prints as it goes.
func answer(ctx context.Context, o options, document string) error {
	for _, name := range o.questions {
		l, err := newLab(ctx, o)
		if err != nil {
			return err
		}
		text, err := questions[name](l, ctx)
		err = errors.Join(err, l.Close())
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		section := heading(name) + text + "\n" + about() + "\n"
		fmt.Println(section)
		if document == "" {
			continue
		}
		if err := writeSection(document, name, section); err != nil {
			return err
		}
	}
	return nil
}

// choose reads a list of names with commas between; empty for the usual ones.
func choose(list string, known, usual []string) ([]string, error) {
	if list == "" {
		return usual, nil
	}
	chosen := strings.Split(list, ",")
	for _, name := range chosen {
		if !contains(known, name) {
			return nil, fmt.Errorf("no %q: there are %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

func contains(list []string, name string) bool {
	for _, n := range list {
		if n == name {
			return true
		}
	}
	return false
}

// setting is a link as a person thinks of it.
type setting struct {
	rtt  time.Duration
	mbit int
}

func (s setting) String() string { return fmt.Sprintf("%v, %d Mbit/s", s.rtt, s.mbit) }

// parseLinks returns the links of all round-trip times and rates; none for both
// empty.
func parseLinks(rtts, mbits string) ([]setting, error) {
	if rtts == "" {
		if mbits == "" {
			return nil, nil
		}
		rtts = "0.3ms,20ms,50ms"
	}
	var links []setting
	for _, text := range strings.Split(rtts, ",") {
		rtt, err := time.ParseDuration(text)
		if err != nil || rtt < 0 || rtt > 10*time.Second {
			return nil, fmt.Errorf("round-trip time %q: want one such as 50ms", text)
		}
		if mbits == "" {
			links = append(links, setting{rtt, usualRate(rtt)})
			continue
		}
		for _, text := range strings.Split(mbits, ",") {
			mbit, err := strconv.Atoi(text)
			if err != nil || mbit <= 0 || mbit > 100_000 {
				return nil, fmt.Errorf("rate %q: want Mbit/s, such as 100", text)
			}
			links = append(links, setting{rtt, mbit})
		}
	}
	return links, nil
}

// usualRate is that of a link of its length.
func usualRate(rtt time.Duration) int {
	if rtt < time.Millisecond {
		return 1000
	}
	return 100
}

// or returns the links that were asked for, else those of the round-trip times.
func (o options) or(rtts ...time.Duration) []setting {
	if len(o.links) > 0 {
		return o.links
	}
	var links []setting
	for _, rtt := range rtts {
		links = append(links, setting{rtt, usualRate(rtt)})
	}
	return links
}
