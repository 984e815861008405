// Package solutions holds nothing itself: its folders hold the reference answers, one package each, and its test is the
// driver that checks every answer, right and wrong, against the tests of the exercises.
package solutions
