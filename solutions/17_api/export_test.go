package api

import (
	"example/turnstile/exercises/17_api/transfer"
	repository "example/turnstile/solutions/14_repository"
)

// StoreOf returns a repository as Open hands it to package transfer.
func StoreOf(r *repository.Repository) transfer.Store { return objects{r} }
