// Serves govmomi's vCenter simulator over TLS on a loopback port, as an external tool of our vSphere adapter.
//
// It prints "READY <url>" once it listens, and ends with SIGTERM, SIGINT or the end of its standard input.
// Build (Debian golang-go and golang-github-vmware-govmomi-dev, no network):
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o vcsim main.go
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/vmware/govmomi/simulator"
)

func main() {
	address := flag.String("listen", "127.0.0.1:0", "address to listen on")
	user := flag.String("user", "administrator@vsphere.local", "account")
	password := flag.String("password", "", "password of the account")
	certificate := flag.String("certificate", "", "certificate, PEM")
	key := flag.String("key", "", "private key, PEM")
	machines := flag.Int("machines", 2, "virtual machines per resource pool")
	folders := flag.Int("folders", 0, "folders to put datacenters, hosts and machines into")
	apps := flag.Int("apps", 0, "vApps per cluster, each with virtual machines of its own")
	verbose := flag.Bool("verbose", false, "log to standard error")
	flag.Parse()
	if !*verbose {
		log.SetOutput(io.Discard)
	}

	model := simulator.VPX()
	model.Machine = *machines
	model.Folder = *folders
	model.App = *apps
	defer model.Remove()
	if err := model.Create(); err != nil {
		fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		fatal(err)
	}
	model.Service.Listen = &url.URL{Host: *address, User: url.UserPassword(*user, *password)}
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server := model.Service.NewServer()
	defer server.Close()
	fmt.Printf("READY %s\n", server.URL.Host)

	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt, syscall.SIGTERM)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end <- os.Interrupt
	}()
	<-end
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
