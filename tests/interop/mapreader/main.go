// Command mapreader reads map responses as official clients do. Each line of its input is one, in JSON; for each it prints "ok N", the
// number of peers in it, or "error: ...": it cannot be decoded, it does not come back the same when it is encoded, or a text in it holds
// characters that are not to be shown.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"unicode"

	"tailscale.com/tailcfg"
)

// hidden finds a character in v's texts that steers a terminal or misleads a reader.
func hidden(v any) error {
	switch x := v.(type) {
	case string:
		for _, c := range x {
			if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == unicode.ReplacementChar || c == 0x2028 || c == 0x2029 ||
				(c >= 0x200b && c <= 0x200f) || c == 0xfeff || (c >= 0x2060 && c <= 0x206f) {
				return fmt.Errorf("%U in %q", c, x)
			}
		}
	case []any:
		for _, e := range x {
			if err := hidden(e); err != nil {
				return err
			}
		}
	case map[string]any:
		for k, e := range x {
			if err := hidden(k); err != nil {
				return err
			}
			if err := hidden(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func read(line []byte) (int, error) {
	var m, again tailcfg.MapResponse
	var all any
	if err := json.Unmarshal(line, &m); err != nil {
		return 0, err
	}
	text, err := json.Marshal(&m)
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(text, &again); err != nil {
		return 0, err
	}
	twice, err := json.Marshal(&again)
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(text, twice) {
		return 0, fmt.Errorf("it is another one when it is encoded and decoded again")
	}
	for _, p := range m.Peers {
		if !p.Hostinfo.Valid() {
			return 0, fmt.Errorf("peer %v has no Hostinfo", p.Name)
		}
	}
	if err := json.Unmarshal(line, &all); err != nil {
		return 0, err
	}
	return len(m.Peers), hidden(all)
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<26)
	for in.Scan() {
		if n, err := read(bytes.TrimSpace(in.Bytes())); err != nil {
			fmt.Printf("error: %v\n", err)
		} else {
			fmt.Printf("ok %d\n", n)
		}
	}
}
