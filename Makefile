# Two commands do the main things: "make bench" and "make test". "make help" lists the rest.

# HTTP_PORT and BASE_PORT move the layout: HTTP_PORT=8000 BASE_PORT=9080 make topology
HTTP_PORT ?=
BASE_PORT ?=
LAYOUT    ?= seed
RATE      ?= 200
DURATION  ?= 15s
FUZZTIME  ?= 60s

COMMANDS := server topology loadgen results
PORTS    := $(if $(HTTP_PORT),--http-port $(HTTP_PORT)) $(if $(BASE_PORT),--base-port $(BASE_PORT))

.DEFAULT_GOAL := help
.PHONY: help build nginx balancers postgres e2e-kubernetes cc chromium topology demo down bench compare compare-balancers test e2e film abuse faults soak fuzz licences benchmarks page-cost readme lint install clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the four commands, into bin/
	CGO_ENABLED=0 go build -o bin/ $(COMMANDS:%=./%)

nginx:
	@.ci/need nginx

balancers: nginx
	@.ci/need haproxy caddy apache

cc:
	@.ci/need cc

chromium:
	@.ci/need chromium

topology: build nginx ## start the layout and leave it running
	@bin/topology up -d --layout $(LAYOUT) $(PORTS)

demo: build nginx ## a layout, a steady load and a live page of both: open the address, Ctrl-C ends all (LESSON=n begins a lesson)
	@bin/topology demo --layout $(LAYOUT) --rate $(RATE) $(PORTS) $(if $(LESSON),--lesson $(LESSON))

down: build ## end the running layout
	@bin/topology down $(if $(HTTP_PORT),--http-port $(HTTP_PORT))

bench: build nginx ## the main job: layout up, load, report, layout down
	@bin/topology run --free-ports --layout $(LAYOUT) $(PORTS) -- \
		sh -c 'bin/loadgen -rate $(RATE) -duration $(DURATION) -target "$$BALANCEO_TARGET"'

compare: build nginx ## the modes against each other, with statistics and an HTML report (some ten minutes)
	@bin/results campaign

compare-balancers: build balancers ## nginx, HAProxy, Caddy and Apache in front of one layout; goes on where it was interrupted
	@mkdir -p results/balancers/runs
	@bin/results campaign --layouts fork --balancers nginx,haproxy,caddy,apache --scenario site -o results/balancers/report.html
	@go test -tags e2e -run CompareBalancers -count 1 -timeout 20m -v ./topology/balancer -args -bin $(CURDIR)/bin -kept $(CURDIR)/results/balancers/runs -table $(CURDIR)/results/balancers/README.md

postgres:
	@.ci/need postgres

test: balancers postgres cc ## everything but the browser, under the race detector
	CGO_ENABLED=1 go test -race -timeout 15m ./...

e2e: nginx chromium ## the pages in a real browser, and the short form of the faults
	go test -tags e2e -run E2E -count 1 -timeout 10m ./server/e2e ./results/page ./topology/ui
	go test -tags e2e -short -run Faults -count 1 -timeout 5m ./topology/faults

film: nginx ## results/demo.svg, the moving picture of a run in which a server dies
	go test -tags e2e -run E2EFilm -count 1 ./topology/ui -args -film $(CURDIR)/results/demo.svg

# Of the cluster that KUBECONFIG names. In the environment, KUBE_IN: what a command is called by to reach it; KUBE_LOAD:
# loads an archive of images into its nodes; KUBE_KILL: kills the node $1, and without it no node is killed.
e2e-kubernetes: build nginx ## the seed layout on a cluster: KUBE_LOAD='kind load image-archive' make e2e-kubernetes
	@[ -n "$$KUBE_LOAD" ] || { echo "KUBE_LOAD has to name a command that loads an archive of images into the cluster's nodes" >&2; exit 2; }
	@.ci/need haproxy
	go test -tags e2e -run E2EKubernetes -count 1 -timeout 30m -v $(if $(SHORT),-short) ./topology/export/kubernetes

abuse: nginx cc ## attacks on the whole layout; the table goes into results/faults/README.md
	@mkdir -p results/faults
	go test -tags e2e -run Abuse -count 1 -timeout 10m -v ./server/e2e -args -table $(CURDIR)/results/faults/README.md

faults: nginx cc ## faults under load, one after the other (some five minutes); the table goes into results/faults/README.md
	go test -tags e2e -run Faults -count 1 -timeout 20m -v ./topology/faults -args -table $(CURDIR)/results/faults/README.md

soak: nginx cc ## a long run (DURATION=2h): nothing grows, nothing gets lost; the table goes into results/faults/README.md
	go test -tags e2e -run Soak -count 1 -timeout 0 -v ./topology/faults -args -for $(DURATION) -table $(CURDIR)/results/faults/README.md

fuzz: ## every fuzz test for FUZZTIME each
	.ci/fuzz $(FUZZTIME)

licences: ## the licence of every module that is built in
	.ci/licences

benchmarks: build ## micro and whole-process benchmarks, in benchstat's format
	go test -run '^$$' -bench . -benchmem -timeout 30m ./...

page-cost: build nginx ## a load with the live page open beside one without, in turns (some four minutes)
	@.ci/page-cost

readme: nginx ## every command of every README, as it stands there
	.ci/readme

lint: ## formatting, go vet, staticcheck, golangci-lint, go.mod
	.ci/lint

install: ## the four commands, into Go's bin folder
	CGO_ENABLED=0 go install $(COMMANDS:%=./%)

clean: ## what was built; run records stay
	rm -rf bin
