// Package workbook reads the workbook from its folders: which exercises there are, in which order, with which answers,
// and what the tests say of an answer.
//
// No list of lessons stands in code. An exercise exists because lessons/NN_name, exercises/NN_name and
// solutions/NN_name exist; its title, part, minutes and what it builds on are read from the lesson's README.
// The guide (`go run ./exercises`), the driver that checks the answers (solutions/) and the text checks (docs/) all
// stand on this package, so they agree on what an answer is.
package workbook
