# No logic lives here. Everything a learner needs works without make: go run ./exercises
.PHONY: help test check next windows docs docs-serve docs-test bench pack slides

help:
	@echo "make test     check the whole workbook"
	@echo "make check    what maintainers owe: answers as shipped, text, linters, all systems"
	@echo "make next     lead to the next exercise (= go run ./exercises)"
	@echo "make windows  run the Windows build, under Wine unless this is Windows"
	@echo "make docs     build the documentation site (needs Node and npm); docs-serve shows it, docs-test tests it (needs Chromium)"
	@echo "make bench    measure what things cost, side by side with other libraries; some ten minutes"
	@echo "make pack     one zip for a class without a network"
	@echo "make slides   the workshop's slides, as HTML and PDF (needs Node and Chromium)"

test:
	go test -timeout=30m ./lessons/... ./solutions/... ./exercises ./internal/...
	TURNSTILE_TREE=$$(go -C docs/tools run ./check -tree) go -C docs/tools test ./...

check:
	go -C docs/tools run ./check

next:
	@go run ./exercises

windows:
	go -C docs/tools run ./windows

docs/site/node_modules/.package-lock.json: docs/site/package-lock.json
	npm --prefix docs/site ci

docs: docs/site/node_modules/.package-lock.json
	npm --prefix docs/site run build

docs-serve: docs
	npm --prefix docs/site run serve

docs-test: docs
	npm --prefix docs/site test

bench:
	go -C bench run . -o out/results.json

pack:
	go -C docs/tools run ./pack

slides:
	npm --prefix docs/workshop/slides ci --ignore-scripts
	node docs/workshop/slides/build.mjs
