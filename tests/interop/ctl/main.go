// Command foreignhub runs Tailscale's own test control server, so that our programs meet an implementation that is not
// ours. It prints its URL, then obeys lines of its input and answers each with "ok" or "error: ...":
//
//	rename HOSTNAME NAME    the device gets this name; all hear of it in a whole map
//	remove HOSTNAME         the device is gone for all others, who hear of it in a delta
//	haunt HOSTNAME          the device is told of a new peer with a home relay that not every reader has a number for
//	exorcise HOSTNAME       and that it is gone
//	masquerade HOSTNAME PEER ADDRESS   the peer knows the device by this address
//	jail HOSTNAME PEER      the peer may only answer the device; release: no more
//
// It exits when its input ends.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"

	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/key"
)

var (
	listen  = flag.String("listen", "127.0.0.1:0", "address and port")
	derpMap = flag.String("derp-map", "", "file with a DERP map in JSON; none: a map without regions")
)

func readDERPMap() (*tailcfg.DERPMap, error) {
	m := &tailcfg.DERPMap{Regions: map[int]*tailcfg.DERPRegion{}}
	if *derpMap == "" {
		return m, nil
	}
	text, err := os.ReadFile(*derpMap)
	if err != nil {
		return nil, err
	}
	return m, json.Unmarshal(text, m)
}

func nodeByHostname(c *testcontrol.Server, hostname string) *tailcfg.Node {
	for _, n := range c.AllNodes() {
		if n.Hostinfo.Valid() && n.Hostinfo.Hostname() == hostname {
			return n
		}
	}
	return nil
}

func remove(c *testcontrol.Server, gone *tailcfg.Node) error {
	for _, n := range c.AllNodes() {
		if n.ID == gone.ID {
			continue
		}
		if !c.AddRawMapResponse(n.Key, &tailcfg.MapResponse{PeersRemoved: []tailcfg.NodeID{gone.ID}}) {
			return fmt.Errorf("%s does not listen", n.Hostinfo.Hostname())
		}
	}
	return nil
}

const ghostID = 1 << 40

func tell(c *testcontrol.Server, to *tailcfg.Node, m *tailcfg.MapResponse) error {
	if !c.AddRawMapResponse(to.Key, m) {
		return fmt.Errorf("%s does not listen", to.Hostinfo.Hostname())
	}
	return nil
}

func haunt(c *testcontrol.Server, to *tailcfg.Node) error {
	at := []netip.Prefix{netip.MustParsePrefix("100.99.99.99/32")}
	return tell(c, to, &tailcfg.MapResponse{PeersChanged: []*tailcfg.Node{{
		ID: ghostID, StableID: "ghost", Name: "ghost.example.com.", Key: key.NewNode().Public(), Addresses: at, AllowedIPs: at,
		HomeDERP: 1 << 40, Hostinfo: (&tailcfg.Hostinfo{}).View(),
	}}})
}

func obey(c *testcontrol.Server, line string) error {
	word := strings.Fields(line)
	if len(word) < 2 {
		return fmt.Errorf("not a command: %q", line)
	}
	n := nodeByHostname(c, word[1])
	switch {
	case n == nil:
		return fmt.Errorf("no device %q", word[1])
	case word[0] == "rename" && len(word) == 3:
		n.Name = word[2] + "."
		n.ComputedName, n.ComputedNameWithHost = "", ""
		c.UpdateNode(n)
		return nil
	case (word[0] == "masquerade" && len(word) == 4) || ((word[0] == "jail" || word[0] == "release") && len(word) == 3):
		peer := nodeByHostname(c, word[2])
		if peer == nil {
			return fmt.Errorf("no device %q", word[2])
		}
		if word[0] != "masquerade" {
			c.SetJailed(n.Key, peer.Key, word[0] == "jail")
			return nil
		}
		as, err := netip.ParseAddr(word[3])
		if err == nil {
			c.SetMasqueradeAddresses([]testcontrol.MasqueradePair{{Node: n.Key, Peer: peer.Key, NodeMasqueradesAs: as}})
		}
		return err
	case word[0] == "remove":
		return remove(c, n)
	case word[0] == "haunt":
		return haunt(c, n)
	case word[0] == "exorcise":
		return tell(c, n, &tailcfg.MapResponse{PeersRemoved: []tailcfg.NodeID{ghostID}})
	}
	return fmt.Errorf("not a command: %q", line)
}

func main() {
	flag.Parse()
	dm, err := readDERPMap()
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	control := &testcontrol.Server{
		DERPMap:   dm,
		AllOnline: true,
		Logf:      func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) },
	}
	control.HTTPTestServer = httptest.NewUnstartedServer(control)
	control.HTTPTestServer.Listener.Close()
	control.HTTPTestServer.Listener = l
	control.HTTPTestServer.Start()
	fmt.Println(control.HTTPTestServer.URL)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if err := obey(control, in.Text()); err != nil {
			fmt.Printf("error: %v\n", err)
		} else {
			fmt.Println("ok")
		}
	}
}
