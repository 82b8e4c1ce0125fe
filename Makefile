# Each target installs what it needs and this machine lacks, and says so.

help:
	@echo 'make demo   a thin client logs in to a server, on this machine'
	@echo 'make build  the programs, into bin/'
	@echo 'make test   all tests; those on two machines need root'
	@echo 'make attack the hostile tests alone'
	@echo 'make bench  remote sessions, ours beside others: docs/performance.md'
	@echo 'make check  formatting, vet, import rules, staticcheck, known vulnerabilities'
	@echo 'make clean  remove bin/ and the cached Debian trees'

build:
	@scripts/need build
	@scripts/build

demo:
	@scripts/need build
	@scripts/need test
	@scripts/build
	@scripts/demo

test:
	@scripts/need build
	@scripts/need test
	@scripts/test

attack:
	@scripts/need build
	@scripts/need test
	@scripts/attack

bench:
	@scripts/need test
	@scripts/bench

check:
	@scripts/need build
	@scripts/check

clean:
	rm -rf bin "$${XDG_CACHE_HOME:-$$HOME/.cache}/goldm"

.PHONY: help attack bench build demo test check clean
