package api_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A team of the real git-lfs in front of the real command: what the page promises, end to end.
func TestGitLFS(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"git", "git-lfs"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%v: install it to try the server with the real client", err)
		}
	}
	if testing.Short() {
		t.Skip("about 200 processes: left out with -short")
	}
	url := build(t).serve(t, t.TempDir()).url
	origin := filepath.Join(t.TempDir(), "origin.git")
	alice, bob := newPerson(t, "alice", url), newPerson(t, "bob", url)
	alice.must("git", "init", "-q", "--bare", "-b", "main", origin)
	alice.clone(origin, url)
	alice.write("a.bin", "one\n")
	alice.write("dir/b ü.bin", "two\n")
	alice.must("git", "lfs", "track", "--lockable", "*.bin")
	alice.must("git", "add", "-A")
	alice.must("git", "commit", "-qm", "parts")
	alice.must("git", "push", "-q", "origin", "HEAD:main")
	bob.clone(origin, url)
	require.Equal(t, "one\n", bob.read("a.bin"), "the object came back")

	require.Contains(t, alice.must("git", "lfs", "lock", "a.bin", "dir/b ü.bin"), "Locked dir/b ü.bin")
	require.Contains(t, alice.must("git", "lfs", "locks"), "alice")
	require.Contains(t, alice.must("git", "lfs", "locks", "--path", "a.bin"), "a.bin")
	require.Contains(t, alice.must("git", "lfs", "locks", "--verify"), "O a.bin")
	require.NotContains(t, bob.must("git", "lfs", "locks", "--verify"), "O ")
	require.Contains(t, bob.mustNot("git", "lfs", "lock", "a.bin"), "alice has had a.bin since")
	require.Contains(t, alice.mustNot("git", "lfs", "lock", "a.bin"), "you have a.bin already")
	require.Contains(t, bob.mustNot("git", "lfs", "unlock", "a.bin"), "alice")

	bob.write("a.bin", "bob's\n")
	bob.must("git", "commit", "-qam", "a change over a lock")
	require.Contains(t, bob.mustNot("git", "push", "origin", "HEAD:main"), "Cannot update locked files")
	require.Contains(t, bob.must("git", "lfs", "unlock", "--force", "a.bin"), "Unlocked a.bin")
	bob.must("git", "push", "-q", "origin", "HEAD:main")
	alice.must("git", "pull", "-q", "origin", "main")
	require.Equal(t, "bob's\n", alice.read("a.bin"))

	require.Contains(t, alice.must("git", "lfs", "unlock", "dir/b ü.bin"), "Unlocked")
	require.Empty(t, strings.TrimSpace(bob.must("git", "lfs", "locks")))
	alice.login("wrong", url)
	require.Contains(t, alice.mustNot("git", "lfs", "lock", "a.bin"), "a.bin")
}

// A person has a home and a clone.
type person struct {
	t                *testing.T
	name, home, work string
}

func newPerson(t *testing.T, name, url string) *person {
	t.Helper()
	p := &person{t: t, name: name, home: t.TempDir(), work: filepath.Join(t.TempDir(), "clone")}
	p.login("secret", url)
	p.must("git", "config", "--global", "user.name", name)
	p.must("git", "config", "--global", "user.email", name+"@example.org")
	p.must("git", "config", "--global", "credential.helper", "store --file="+filepath.ToSlash(filepath.Join(p.home, "logins")))
	p.must("git", "lfs", "install")
	return p
}

func (p *person) login(password, url string) {
	p.t.Helper()
	line := strings.Replace(url, "://", "://"+p.name+":"+password+"@", 1) + "\n"
	require.NoError(p.t, os.WriteFile(filepath.Join(p.home, "logins"), []byte(line), 0o600))
}

func (p *person) run(words ...string) (string, error) {
	command := exec.CommandContext(p.t.Context(), words[0], words[1:]...)
	if _, err := os.Stat(p.work); err == nil {
		command.Dir = p.work
	}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "GIT_") && !strings.HasPrefix(variable, "HOME=") && !strings.HasPrefix(variable, "XDG_") {
			command.Env = append(command.Env, variable)
		}
	}
	command.Env = append(command.Env, "HOME="+p.home, "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=false", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C.UTF-8")
	text, err := command.CombinedOutput()
	return string(text), err
}

// must runs a command, in the clone if there is one, and returns what it prints.
func (p *person) must(words ...string) string {
	p.t.Helper()
	text, err := p.run(words...)
	require.NoError(p.t, err, "%s: %v: %s", p.name, words, text)
	return text
}

// mustNot is must for a command that is refused.
func (p *person) mustNot(words ...string) string {
	p.t.Helper()
	text, err := p.run(words...)
	require.Error(p.t, err, "%s: %v: %s", p.name, words, text)
	return text
}

func (p *person) clone(origin, url string) {
	p.t.Helper()
	p.must("git", "clone", "-q", "-c", "lfs.url="+url, "-c", "lfs.locksverify=true", origin, p.work)
}

func (p *person) write(name, content string) {
	p.t.Helper()
	path := filepath.Join(p.work, name)
	require.NoError(p.t, os.MkdirAll(filepath.Dir(path), 0o700))
	_ = os.Chmod(path, 0o600) // git-lfs has made it read-only if it is lockable
	require.NoError(p.t, os.WriteFile(path, []byte(content), 0o600))
}

func (p *person) read(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.work, name))
	require.NoError(p.t, err)
	return string(text)
}
