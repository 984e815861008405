// Package answers is the driver: it judges every answer of a lesson, right and wrong, by the tests of its exercise. Each lesson has a
// three-line test that calls Judge, solutions/NN_name/answers_test.go, and with it its own entry in go's test cache, its own time
// limit and its own place among the packages that go test runs at once.
//
//	go test ./solutions/...                                                   every answer
//	go test -short ./solutions/...                                            the reference, the code as shipped and one wrong answer each
//	go test ./solutions/03_seek_truncate                                      one lesson
//	go test ./solutions/03_seek_truncate -run TestAnswers/wrong/02_no_seek    one answer
//
// Its own flags come after -args:
//
//	-race          build tests and demos with the race detector
//	-count=N       run every test of the reference and of the other right answers N times; of a wrong answer, run the test that
//	               catches it N times, which must fail each time
//	-strict        run the right answers at full strength, demand that each test fails for some wrong answer, and that the exercise's
//	               answer files are exactly as shipped (maintainers; a learner edits them)
//	-all           run every test of every wrong answer, at full strength (ten times the time; after a change to the laboratory, or to
//	               how a lesson's tests are cut)
//	-goos=GOOS     build tests and demos for that system, together with
//	-exec=PROGRAM  a program that starts them, called as PROGRAM BINARY ARGUMENTS… Of the answers that are right or wrong on every
//	               system only the reference and the code as shipped are run there, unless -all
//
// go test's own -parallel sets how many answers of a lesson are tested at once (by default the number of cores), -timeout how long
// all of a lesson may take, and -v prints for each wrong answer the test that catches it. No file of the workbook changes.
//
// # How an answer is run
//
// One test binary holds all answers of an exercise, each with its own copy of the tests: one link, and no go command per answer. What does
// not compile there is run by its own go test, so that the compiler's message is kept; so is everything under -race and -goos.
//
// Of a wrong answer, only the test or subtest that must catch it is run, with shorter waits where they end in vain (TURNSTILE_PATIENCE).
// A verdict that is not the expected one counts only after a second run, of all tests and by go test. Right answers other than the
// reference run with TURNSTILE_EFFORT=light, without strace; -strict runs them at full strength. -all sees what else this leaves out: a
// wrong answer that crashes in a test that need not catch it.
package answers
