// Command serve is a small lock server for git-lfs, for one repository and its team.
//
//	go run ./exercises/17_api/serve -dir DIR -user alice:secret
//
// It prints the URL on which it listens, once it serves; git config lfs.url URL makes git-lfs use it. See -h for all arguments.
package main

import (
	"os"

	api "example/turnstile/exercises/17_api"
	"example/turnstile/exercises/17_api/server"
)

func main() { os.Exit(server.Main(api.Open)) }
