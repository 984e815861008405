package gotest

// RunTree is for the tests of what ends a run, on each system.
var RunTree = runTree

// InOrderOfSource is inOrderOfSource.
var InOrderOfSource = inOrderOfSource
