package gotest

// InOrderOfSource is inOrderOfSource.
var InOrderOfSource = inOrderOfSource
