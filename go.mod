module example/turnstile

go 1.26.0

// npm's packages are none of ours, and some hold Go files.
ignore (
	./docs/site
	./docs/workshop/slides
)

require (
	github.com/gofrs/flock v0.13.1
	github.com/stretchr/testify v1.12.1
	golang.org/x/sys v0.49.0
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect
