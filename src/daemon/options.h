/*
 * daemon/options: what the daemon is told, by flags in the syntax of Go programs (one or two dashes, "=" or the next argument,
 * booleans without a value) and by the environment. Names and meaning are tailscaled's, so that unit files and containers
 * work with either; what this daemon does not have is refused in words, never ignored.
 *
 * Source: Tailscale cmd/tailscaled; tests/fixtures/daemon.
 */
#ifndef WARREN_DAEMON_OPTIONS_H
#define WARREN_DAEMON_OPTIONS_H

#include "base/err/err.h"
#include "os/resolver/resolver.h"

#include <limits.h>

#define DAEMON_SOCKET "/var/run/warren/warrend.sock"
#define DAEMON_STATE_DIR "/var/lib/warren"
#define DAEMON_STATE_FILE "warrend.state"
#define DAEMON_TUN "warren0"
enum { DAEMON_PORT = 41641 };

struct daemon_options {
	/* Flags as given. Borrowed from argv and the environment. */
	const char *state, *statedir, *socket, *tun, *debug, *config, *socks5, *http_proxy, *bird,
		*syspolicy, *dns;
	uint64_t port;
	int64_t verbose;
	bool no_logs, cleanup, keep_killswitch, version, encrypt_state, attestation, syslog;

	/* What follows from them; see options_settle. */
	char state_path[PATH_MAX]; /* "": in memory, and this device is ephemeral */
	char var_root[PATH_MAX];   /* for the map; "": nowhere */
	uint64_t mtu;              /* 0: the usual */
	bool no_cached_map;
	enum resolver_choice dns_choice;
};

enum { OPTIONS_DONE = 1 }; /* help was asked for and printed to stderr: exit 0 */

/* 0, OPTIONS_DONE, -ERR_BAD_VALUE: usage, at->text says what (exit 2). */
MUST_USE int options_parse(
	struct daemon_options *o, int argc, char *const argv[], struct err_at *at);
/* Reads the environment and decides paths; refuses what is not there. -ERR_BAD_VALUE, -ERR_UNSUPPORTED: exit 1. */
MUST_USE int options_settle(struct daemon_options *o, struct err_at *at);
void options_usage(void); /* to stderr */

#endif
