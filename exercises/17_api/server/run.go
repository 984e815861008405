package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Grace is how long requests that have begun may take when the server ends.
const Grace = 10 * time.Second

// Run serves until ctx ends. Then it takes no more requests, lets those that have begun come to their end, for as long as Grace, and
// returns nil; or it returns why it could not serve. It closes the listener.
//
// A client must send its headers within ten seconds, and a connection without a request is closed after two minutes.
func Run(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler: handler, MaxHeaderBytes: MaxHeader,
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	log.Info("the server ends; it waits for the requests that have begun")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), Grace)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // whoever is still there is a slow client
	}
	<-ended
	if err != nil {
		return fmt.Errorf("end the server: %w", err)
	}
	return nil
}
