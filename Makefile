# Each target calls Go; no logic lives here. Everything a learner needs works without make: go run ./exercises
.PHONY: help test check next windows

help:
	@echo "make test     check the whole workbook"
	@echo "make check    what maintainers owe: answers as shipped, text, linters, all systems"
	@echo "make next     lead to the next exercise (= go run ./exercises)"
	@echo "make windows  run the Windows build, under Wine unless this is Windows"

test:
	go test -timeout=30m ./lessons/... ./solutions/... ./exercises ./internal/...
	TURNSTILE_TREE=$$(go -C docs/tools run ./check -tree) go -C docs/tools test ./...

check:
	go -C docs/tools run ./check

next:
	@go run ./exercises

windows:
	go -C docs/tools run ./windows
