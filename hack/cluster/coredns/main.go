// Command coredns is CoreDNS with the plugins that a cluster's DNS needs and no others.
//
// A module of its own: etcd and CoreDNS want different versions of the same protobuf packages, so one go.mod cannot
// serve both. The order in which plugins answer is CoreDNS's own list of directives, not the order of the imports.
package main

import (
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

func main() {
	coremain.Run()
}
