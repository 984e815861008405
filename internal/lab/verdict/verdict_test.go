package verdict

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAMessageHasItsRowsInOrder(t *testing.T) {
	t.Parallel()
	f := Failure{
		Says:     "Update lost another process's change",
		Did:      "two processes called Update",
		Expected: `{"counter":100}`,
		Found:    "{\"counter\":42}\nand a second line\n",
		Means:    "one change is gone",
		Read:     `lessons/05_lost_update, "Why it happens"`,
	}
	require.Equal(t, `Update lost another process's change
  did       two processes called Update
  expected  {"counter":100}
  found     {"counter":42}
            and a second line
  means     one change is gone
  read      lessons/05_lost_update, "Why it happens"`, f.String())
}

func TestSayKeepsTheRest(t *testing.T) {
	t.Parallel()
	f := Failure{Says: "It failed", Did: "called Update"}
	require.Equal(t, Failure{Says: "Update failed 2 times", Did: "called Update"}, f.Say("%s failed %d times", "Update", 2))
	require.Equal(t, "It failed", f.Says)
}

func TestAnEmptyRowIsLeftOut(t *testing.T) {
	t.Parallel()
	require.Equal(t, "It failed\n  found     nothing", Failure{Says: "It failed", Found: "nothing"}.String())
}

func TestAMessageSurvivesItsEncoding(t *testing.T) {
	t.Parallel()
	want := Failure{Says: `a "quoted" text`, Did: "two\nlines", Found: "␀×24{}⏎", Read: "<here>"}
	line := want.Encode()
	require.NotContains(t, line, "\n", "an attribute is one line")
	got, err := Decode(line)
	require.NoError(t, err)
	require.Equal(t, want, got)

	_, err = Decode("no JSON")
	require.Error(t, err)
}
