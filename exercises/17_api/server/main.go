package server

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"example/turnstile/exercises/17_api/users"
)

// Open opens the server's directory and returns the handlers for it, and what closes them. Base is the URL at which clients reach the
// server, without a slash at its end.
type Open func(ctx context.Context, dir, base string) (handler http.Handler, closing func() error, err error)

// collect is how many percent the heap grows before garbage is collected. Each change copies the document's content, so there is much
// garbage and little else: a server with 1000 locks spent a quarter of its CPU time on collecting with Go's default of 100, and has a few
// MiB either way.
const collect = 400

// Main is the command serve: it reads the arguments, serves until it gets an interrupt or SIGTERM, and returns the exit status.
func Main(open Open) int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collect)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := Command(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, open)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(os.Stderr, "serve: %v\n", err)
		return 1
	}
	return 0
}

// arguments of the command line.
type arguments struct {
	address, dir, usersFile, base, add string
	users                              []string
}

func parse(words []string, output io.Writer) (a arguments, err error) {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.StringVar(&a.address, "addr", "127.0.0.1:8080", "the `address` to listen on; with port 0 the system chooses one")
	flags.StringVar(&a.dir, "dir", "", "the `directory` of locks.json and the objects; it must exist")
	flags.StringVar(&a.usersFile, "users", "", "a `file` of users with hashed passwords; it is read again when it changes")
	flags.StringVar(&a.base, "base-url", "", "the `URL` at which clients reach the server, if it is not http://ADDR: that of a proxy")
	flags.StringVar(&a.add, "add", "", "add the user `name` to the file of -users, with the first line of standard input as password, and end")
	const user = "a user, as `NAME:PASSWORD`; may be given again (other users of the machine can see it: -users hides it)"
	flags.Func("user", user, func(s string) error {
		a.users = append(a.users, s)
		return nil
	})
	if err := flags.Parse(words); err != nil {
		return a, err
	}
	if flags.NArg() > 0 {
		return a, fmt.Errorf("%q is not an argument; see -h", flags.Arg(0))
	}
	return a, nil
}

// Command is Main without the process around it: it serves until ctx ends.
func Command(ctx context.Context, words []string, input io.Reader, output, log io.Writer, open Open) error {
	a, err := parse(words, log)
	switch {
	case err != nil:
		return err
	case a.add != "":
		return add(ctx, a, input, output)
	}
	who, err := logins(a)
	if err != nil {
		return err
	}
	if info, err := os.Stat(a.dir); a.dir == "" || err != nil || !info.IsDir() {
		return fmt.Errorf("-dir %q is not a directory; is the path right? Create it first for a new server", a.dir)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.address)
	if err != nil {
		return fmt.Errorf("listen: %w; choose another address with -addr", err)
	}
	defer func() { _ = listener.Close() }() // Run closes it, unless it is not reached
	base, err := baseURL(a.base, listener.Addr())
	if err != nil {
		return err
	}
	handler, closing, err := open(ctx, a.dir, base)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(log, nil))
	if _, err := fmt.Fprintf(output, "listening on http://%s\n", listener.Addr()); err != nil {
		return errors.Join(err, closing())
	}
	return errors.Join(Run(ctx, listener, Wrap(handler, Options{Users: who, Log: logger}), logger), closing())
}

// logins returns the users of both sources.
func logins(a arguments) (*users.Users, error) {
	who, err := users.Parse(a.users)
	if err == nil && a.usersFile != "" {
		err = who.Open(a.usersFile)
	}
	if err == nil && who.Len() == 0 {
		err = errors.New("no one could log in; give a user with -user NAME:PASSWORD, or add one: serve -users FILE -add NAME")
	}
	return who, err
}

// add adds a user to the file.
func add(ctx context.Context, a arguments, input io.Reader, output io.Writer) error {
	if a.usersFile == "" {
		return errors.New("-add needs the file: -users FILE")
	}
	password, err := bufio.NewReader(io.LimitReader(input, 4096)).ReadString('\n')
	if err != nil && err != io.EOF {
		return fmt.Errorf("read the password: %w", err)
	}
	changed, err := users.Add(ctx, a.usersFile, a.add, strings.TrimRight(password, "\r\n"))
	if err != nil {
		return err
	}
	done := "added"
	if changed {
		done = "has a new password"
	}
	_, err = fmt.Fprintf(output, "%s: %s\n", a.add, done)
	return err
}

// baseURL returns the URL at which clients reach the server. The Host header of a request is not asked: a client could write anything into
// it, and another one would get it.
func baseURL(given string, address net.Addr) (string, error) {
	if given == "" {
		if tcp, ok := address.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
			const advice = "%v means all addresses; say with -base-url which one clients use, as in http://lfs.example.org:%d"
			return "", fmt.Errorf(advice, address, tcp.Port)
		}
		return "http://" + address.String(), nil
	}
	base, err := url.Parse(given)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" ||
		base.RawQuery != "" || base.Fragment != "" || base.User != nil {
		return "", fmt.Errorf("-base-url %q is not a URL such as https://lfs.example.org/team", given)
	}
	return strings.TrimRight(given, "/"), nil
}
