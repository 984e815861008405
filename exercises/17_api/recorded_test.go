package api_test

import (
	"fmt"
	"strings"
	"testing"

	"example/turnstile/internal/lab"
)

// What git-lfs 3.3.0 (Debian 12) sent to a server, in this order, but for the Host and the logins, which the test puts in. ID is the
// lock's.
var recorded = []struct {
	command, user string
	request       string
	status        int
	answer        string // part of it
}{
	{"git lfs lock a.bin", "alice", post("/locks", `{"path":"a.bin","ref":{"name":"refs/heads/main"}}`), 201, `"owner":{"name":"alice"}`},
	{"git lfs lock a.bin", "alice", post("/locks", `{"path":"a.bin","ref":{"name":"refs/heads/main"}}`), 409, `"message":`},
	{"git lfs locks", "alice", get("/locks?refspec=refs%2Fheads%2Fmain"), 200, `"path":"a.bin"`},
	{"git lfs locks --limit 1", "alice", get("/locks?limit=1&refspec=refs%2Fheads%2Fmain"), 200, `"path":"a.bin"`},
	{"git lfs locks --path a.bin", "alice", get("/locks?path=a.bin&refspec=refs%2Fheads%2Fmain"), 200, `"path":"a.bin"`},
	{"git lfs locks --id ID", "alice", get("/locks?id=ID&refspec=refs%2Fheads%2Fmain"), 200, `"path":"a.bin"`},
	{"git lfs locks --verify", "alice", post("/locks/verify", `{"ref":{"name":"refs/heads/main"}}`), 200, `"theirs":[]`},
	{"git push", "bob", post("/locks/verify", `{"ref":{"name":"refs/heads/main"}}`), 200, `"ours":[]`},
	{"git lfs unlock a.bin", "bob", get("/locks?path=a.bin"), 200, `"name":"alice"`},
	{"git lfs unlock a.bin", "bob", post("/locks/ID/unlock", `{"force":false,"ref":{"name":"refs/heads/main"}}`), 403, `alice`},
	{
		"git lfs unlock --force a.bin", "bob", post("/locks/ID/unlock", `{"force":true,"ref":{"name":"refs/heads/main"}}`), 200,
		`{"lock":{"id":"ID"`,
	},
	{"git lfs unlock --id ID", "alice", post("/locks/ID/unlock", `{"force":false,"ref":{"name":"refs/heads/main"}}`), 404, `"message":`},
	{"git lfs locks --id ID", "alice", get("/locks?id=ID&refspec=refs%2Fheads%2Fmain"), 200, `{"locks":[]}`},
}

const agent = "User-Agent: git-lfs/3.3.0 (GitHub; linux amd64; go 1.19.8)\n"

func post(target, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\n%sContent-Length: LENGTH\nAccept: application/vnd.git-lfs+json\n"+
		"Content-Type: application/vnd.git-lfs+json; charset=utf-8\nAccept-Encoding: gzip\n\n%s", target, agent, body)
}

func get(target string) string {
	return fmt.Sprintf("GET %s HTTP/1.1\n%sAccept: application/vnd.git-lfs+json\nAccept-Encoding: gzip\n\n", target, agent)
}

func TestTheRecordedClientIsAnswered(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	id := ""
	for _, c := range recorded {
		l := lab.Lesson{
			Says: "git-lfs does not get the answer that it needs, to " + c.command, Did: c.command + ", as " + c.user,
			Means: "the real client fails, or takes the answer for another one", Read: answers,
		}
		head, body, _ := strings.Cut(strings.ReplaceAll(c.request, "ID", id), "\n\n")
		line, headers, _ := strings.Cut(strings.ReplaceAll(head, "LENGTH", fmt.Sprint(len(body))), "\n")
		headers = strings.ReplaceAll(headers+"\nConnection: close\n", "\n", "\r\n")
		conn := o.dial(c.user, strings.TrimSuffix(line, " HTTP/1.1"), headers, body)
		var a answer
		lab.Finishes(t, func() { a = receive(conn) }, l)
		l.Expected, l.Found = fmt.Sprintf("%d and %s", c.status, c.answer), a.String()
		lab.Require(t, a.status == c.status && strings.Contains(a.text, strings.ReplaceAll(c.answer, "ID", id)), l)
		if _, rest, ok := strings.Cut(a.text, `{"lock":{"id":"`); ok && id == "" {
			id, _, _ = strings.Cut(rest, `"`)
		}
	}
}
