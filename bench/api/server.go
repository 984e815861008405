package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"example/turnstile/internal/gotest"
)

// mediaType is what the File Locking API of Git LFS speaks.
const mediaType = "application/vnd.git-lfs+json"

// A server is one that runs, in a process of its own.
type server struct {
	url    string
	client *http.Client
	stop   func() error
}

// Exists reports whether the workbook has the lock server of lesson 17.
func Exists(root string) bool {
	_, err := os.Stat(filepath.Join(root, "solutions", "17_api", "serve"))
	return err == nil
}

// build builds the reference's command, into dir.
func build(ctx context.Context, root, dir string) (program string, err error) {
	program = filepath.Join(dir, "serve.exe")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./solutions/17_api/serve")
	build.Dir = root
	build.Env = gotest.Environment(root)
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server: %w\n%s", err, text)
	}
	return program, nil
}

// start starts the program as its lesson's page says, for a user with a password.
func start(ctx context.Context, program, dir string) (*server, error) {
	command := exec.CommandContext(ctx, program, "-addr", "127.0.0.1:0", "-dir", dir, "-user", "alice:secret")
	var log bytes.Buffer
	command.Stderr = &log
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	stop := func() error {
		_ = command.Process.Kill() // it may have ended
		_ = command.Wait()         // with the signal as its error
		return nil
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		_ = stop()
		return nil, fmt.Errorf("the server did not come up: %q %w\n%s", line, err, log.String())
	}
	return &server{url, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}, Timeout: time.Minute}, stop}, nil
}

// ask sends a request and returns the status; the answer's body is decoded into answer.
func (s *server) ask(ctx context.Context, path, body string, answer any) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.SetBasicAuth("alice", "secret")
	request.Header.Set("Content-Type", mediaType)
	request.Header.Set("Accept", mediaType)
	response, err := s.client.Do(request)
	if err != nil {
		return 0, err
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return 0, err
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return response.StatusCode, fmt.Errorf("%s: status %d, %w: %.200q", path, response.StatusCode, err, text)
	}
	return response.StatusCode, nil
}

type reply struct {
	Lock    struct{ ID, Path string } `json:"lock"`
	Message string                    `json:"message"`
}

// lock asks for a lock. It is granted, or refused because of another one (409); everything else is an error.
func (s *server) lock(ctx context.Context, path string) (id string, granted bool, err error) {
	var r reply
	status, err := s.ask(ctx, "/locks", fmt.Sprintf(`{"path":%q}`, path), &r)
	switch {
	case err != nil:
		return "", false, err
	case r.Lock.Path != path || r.Lock.ID == "":
		return "", false, fmt.Errorf("lock %s: status %d with another lock: %+v", path, status, r)
	case status == http.StatusCreated:
		return r.Lock.ID, true, nil
	case status == http.StatusConflict:
		return "", false, nil
	}
	return "", false, fmt.Errorf("lock %s: status %d: %s", path, status, r.Message)
}

func (s *server) unlock(ctx context.Context, path, id string) error {
	var r reply
	status, err := s.ask(ctx, "/locks/"+id+"/unlock", `{}`, &r)
	if err == nil && (status != http.StatusOK || r.Lock.ID != id || r.Lock.Path != path) {
		err = fmt.Errorf("unlock %s: status %d: %+v", path, status, r)
	}
	return err
}
