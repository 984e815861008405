module example/turnstile/bench

go 1.26.0

require (
	example/turnstile v0.0.0
	github.com/gofrs/flock v0.13.1
)

require golang.org/x/sys v0.49.0 // indirect

replace example/turnstile => ../
