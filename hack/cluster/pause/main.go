// Command pause holds the namespaces of a Pod open: it is the first process of each Pod's sandbox.
//
// As process 1 of a Pod that shares its process namespace it also inherits orphans and must collect them when they end.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		// One SIGCHLD may stand for several children.
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if err == nil && pid > 0 || err == syscall.EINTR {
				continue
			}
			break
		}
	}
}
