// Package solutions holds nothing itself. Its folders hold the reference answers, one package each, and its tests are the
// driver that checks every answer, right and wrong, against the tests of the exercises:
//
//	go test ./internal/answers                                          every answer
//	go test -short ./internal/answers                                   the reference, the code as shipped and one wrong answer each
//	go test ./internal/answers -run 'TestAnswers/03_seek_truncate'      one exercise
//	go test ./internal/answers -run 'TestAnswers/03/wrong/02_no_seek'   one answer
//
// Flags of its own stand after -args:
//
//	-race          build tests and demos with the race detector
//	-count=N       run every test of the reference and of the other right answers N times; of a wrong answer, run the test that
//	               catches it N times, which must fail each time
//	-strict        also demand that each exercise's answer files are exactly as shipped (maintainers; a learner edits them)
//	-goos=GOOS     build tests and demos for that system, together with
//	-exec=PROGRAM  a program that starts them, called as PROGRAM BINARY ARGUMENTS…
//
// go test's own -parallel says how many answers are tested at once (the number of cores, unless told), -timeout how long
// all may take, and -v prints the table of wrong answers with the test that catches each. No file of the workbook changes.
package answers
