//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package flock_test

import (
	"path/filepath"
	"strings"
	"testing"

	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func TestUpgrade(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "it writes while readers read, or a writer after it reads what is half written", Read: conversion}
	t.Run("excludes all others", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		a, b := start(t, path), start(t, path)
		for _, c := range [][2]string{{"RLock", "Upgrade"}, {"RLock", "TryUpgrade"}, {"TryRLock", "Upgrade"}, {"TryRLock", "TryUpgrade"}} {
			first, call := c[0], c[1]
			l := l.Say("%s did not make the lock exclusive", call)
			l.Did = first + "; no other owner had a lock; " + call + "; then another process called TryRLock"
			a.get(first + " it")
			a.Succeed(call+" it", l)
			b.refused("TryRLock second", l)
			a.Succeed("Unlock it", l)
			b.Succeed("TryLock second", l.Say("Unlock did not give back a lock from %s", call))
			b.get("Unlock second")
		}
	})
	t.Run("waits for the other readers", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		a, b := start(t, path), start(t, path)
		l := l.Say("Upgrade does not wait in the kernel for another reader")
		l.Did = "two processes had a shared lock from RLock; one called Upgrade"
		a.get("RLock it")
		b.get("RLock other")
		a.Send("Upgrade it")
		a.WaitBlocked(l)
		b.Succeed("Unlock other", l)
		l.Says = "Upgrade did not get the lock after the other reader's Unlock"
		lab.RequireNoError(t, a.Reply(l).Returned.Err, l)
		b.refused("TryRLock other", l.Say("Upgrade returned no error, and has no exclusive lock"))
	})
	t.Run("waits for another reader of its process", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		a, b := start(t, path), start(t, path)
		l := l.Say("Upgrade does not wait in the kernel for a reader of its own process")
		l.Did, l.Read = "two goroutines of one process had a shared lock from RLock; one called Upgrade", whoOwns
		l.Means = "it goes in beside a reader, or loses its lock because of one that would have gone"
		a.get("RLock it")
		a.get("RLock other")
		a.tell("go Upgrade it", l)
		lab.RequireWaiters(t, path, 1, l, a.Process)
		a.runsMeanwhile("Upgrade", l)
		l.Did += "; then the other called Unlock"
		a.tell("Unlock other", l)
		lab.Require(t, a.becomes(1, "has-got", l), l.Say("Upgrade did not get the lock after the other reader's Unlock"))
		b.refused("TryRLock it", l.Say("Upgrade returned no error, and has no exclusive lock"))
	})
	t.Run("of two readers, one after the other", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		a, b := start(t, path), start(t, path)
		l := l.Say("Upgrade of two readers did not let in one after the other")
		l.Did = "two processes had a shared lock from RLock; both called Upgrade; the first that had it called Unlock"
		l.Means = "two owners are inside at once, or both wait for ever"
		a.get("RLock it")
		b.get("RLock it")
		a.Begin("Upgrade it")
		if b.Begin("Upgrade it") == process.Blocked { // which of the two is first is the kernel's choice
			a, b = b, a
		}
		lab.RequireNoError(t, b.Reply(l).Returned.Err, l)
		lab.Require(t, a.Settle() != process.AtStep, l)
		b.Succeed("Unlock it", l)
		lab.RequireNoError(t, a.Reply(l).Returned.Err, l)
		b.refused("TryRLock it", l)
	})
	t.Run("of an exclusive lock", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		a, b := start(t, path), start(t, path)
		for _, first := range []string{"Lock", "TryLock", "RLock and Upgrade", "TryRLock and TryUpgrade"} {
			for _, call := range []string{"Upgrade", "TryUpgrade"} {
				a.take(first, "it")
				plain := l.Say("%s of an exclusive lock did not leave it as it was", call)
				plain.Did = first + "; " + call + "; then another process called TryRLock"
				refused := plain
				refused.Did = strings.Replace(plain.Did, "; then", ", while flock(2) would fail with ENOLCK; then", 1)
				refused.Means = "the program loses a lock that it has, because of a question that it need not ask"
				if r := a.Ask("refused ENOLCK "+call+" it", refused); r.N != cannotRefuse {
					lab.RequireNoError(t, r.Returned.Err, refused)
					b.refused("TryRLock second", refused)
				}
				a.Succeed(call+" it", plain)
				b.refused("TryRLock second", plain)
				a.Succeed("Unlock it", l.Say("Unlock failed"))
			}
		}
	})
	t.Run("after the program has changed its directory", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		a, b := launch(t, lab.Options{Dir: filepath.Dir(path)}, "stock.json.lock"), start(t, path)
		l := l.Say("Upgrade locked another file than RLock")
		l.Did = "RLock of a relative path; the program changed its directory; Upgrade; then another process called TryRLock"
		l.Means, l.Read = "the program is sure that it is alone, with a lock on a file that no other program asks for", whoOwns
		a.get("RLock it")
		lab.RequireSetUp(t, a.Do("leave "+t.TempDir(), l))
		a.Succeed("Upgrade it", l)
		b.refused("TryRLock second", l)
	})
	t.Run("after Unlock", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		a, b := start(t, path), start(t, path)
		l := l.Say("Upgrade changed a lock that it does not own")
		for _, first := range []string{"RLock", "Lock"} {
			l.Did = first + " and Unlock; RLock in the same program; Upgrade and TryUpgrade of the first; then another process called TryRLock"
			a.get(first + " it")
			a.get("Unlock it")
			a.get("RLock next")
			for _, call := range []string{"Upgrade", "TryUpgrade"} {
				requireClosed(t, a.Do(call+" it", l), l.Say("%s after Unlock did not report that there is no lock", call))
			}
			b.Succeed("TryRLock second", l)
			b.get("Unlock second")
			a.get("Unlock next")
		}
	})
}

func TestTryUpgradeThatFailsHoldsNothing(t *testing.T) {
	t.Parallel()
	path := lab.Path(t, "stock.json.lock")
	a, b, c := start(t, path), start(t, path), start(t, path)
	l := lab.Lesson{
		Says:  "TryUpgrade got an exclusive lock beside a reader",
		Read:  conversion,
		Means: "the kernel has taken the shared lock away, and the program goes on reading as if it still had it",
	}
	for _, reader := range []struct {
		program
		where string
	}{{b, "two processes"}, {a, "two goroutines of one process"}} {
		l := l
		l.Did = reader.where + " had a shared lock from RLock; one called TryUpgrade"
		reader.get("RLock other")
		before := a.Handles()
		a.get("RLock it")
		a.refused("TryUpgrade it", l)
		open := l.Say("TryUpgrade left the file open when it failed")
		open.Means = "a program that tries again and again runs out of handles"
		lab.RequireEqual(t, before, a.Handles(), open)
		for _, call := range []string{"Unlock", "TryUpgrade", "Upgrade"} {
			requireClosed(t, a.Do(call+" it", l), l.Say("TryUpgrade failed, and %s behaves as if there still were a lock", call))
		}
		l.Did += "; then a third program called TryLock"
		c.refused("TryLock third", l.Say("TryUpgrade failed, and took another owner's lock away"))
		l.Did = strings.Replace(l.Did, "; then", "; the other called Unlock; then", 1)
		l.Means = "a lock that the program does not know of keeps all others out"
		reader.Succeed("Unlock other", l)
		c.Succeed("TryLock third", l.Say("TryUpgrade failed and kept a lock"))
		c.get("Unlock third")
	}
}
