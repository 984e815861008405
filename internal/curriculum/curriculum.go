// Package curriculum reads the workbook from its directories: which exercises there are, in which order, and what the first
// lines of each lesson's page say. It is the only reader of those lines.
//
// No code holds a list of lessons. An exercise exists because lessons/NN_name, exercises/NN_name and solutions/NN_name
// exist; its title, part, minutes and what it builds on are read from the lesson's README.
package curriculum

import "path/filepath"

// ModulePath is the module path of the workbook: Open looks for the go.mod that names it.
const ModulePath = "example/turnstile"

// A Book is the workbook as its directories show it at the moment Open read them.
type Book struct {
	// Root is the absolute path of the directory that holds go.mod.
	Root string
	// Exercises are all exercises, by number.
	Exercises []*Exercise
	// Parts are the parts of the course in order, each with its exercises.
	Parts []Part
	// Problems lists what is wrong with the directories themselves: a lesson without an exercise, a README whose first
	// lines do not have the fixed form, one number for two names. An exercise with a problem is still in Exercises, with
	// what could be read: it does not stop a learner, but it stops `make test`.
	Problems []error
}

// A Part is a run of lessons with a common theme.
type Part struct {
	// Name is as the lessons give it: "Part One, Files". It is empty for exercises whose README names none.
	Name string
	// Exercises are the exercises of this part, by number.
	Exercises []*Exercise
}

// An Exercise is one numbered lesson with the code to repair, its tests and its answers.
type Exercise struct {
	Number int    // 3
	ID     string // "03_seek_truncate", the name of its three directories
	Slug   string // "seek_truncate"

	Title   string // "Seek and truncate"; the slug in words where the README has no title
	Promise string // "You will be able to rewrite part of a file without leaving the rest behind."
	Part    string // "Part One, Files"

	ReadMinutes, DoMinutes int

	// BuildsOn are the IDs of the lessons that the README names after "Builds on", in its order.
	BuildsOn []string

	// Root is the workbook's root, as Book.Root.
	Root string
}

// Package is the import path of the exercise: "example/turnstile/exercises/03_seek_truncate".
func (e *Exercise) Package() string { return ModulePath + "/exercises/" + e.ID }

// Folder is the absolute path of exercises/NN_name: the learner's code, the tests, the hints and the race demo.
func (e *Exercise) Folder() string { return filepath.Join(e.Root, "exercises", e.ID) }

// LessonFolder is the absolute path of lessons/NN_name.
func (e *Exercise) LessonFolder() string { return filepath.Join(e.Root, "lessons", e.ID) }

// SolutionFolder is the absolute path of solutions/NN_name.
func (e *Exercise) SolutionFolder() string { return filepath.Join(e.Root, "solutions", e.ID) }
