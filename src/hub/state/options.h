/*
 * hub/state/options: what the hub and its commands are told. One table: each option is a flag (before or after the words of the
 * command), an environment variable (--state-dir is WARREN_HUB_STATE_DIR) and, for serve, a line NAME=VALUE of the
 * file that --config names. Flags go before the environment, the environment before the file.
 */
#ifndef WARREN_HUB_STATE_OPTIONS_H
#define WARREN_HUB_STATE_OPTIONS_H

#include "base/arena/arena.h"
#include "base/err/err.h"
#include "base/netip/netip.h"
#include "base/time/time.h"
#include "proto/names/url.h"

enum { HUB_WORDS_MAX = 16, HUB_FLAGS_MAX = 64 };

struct hub_options {
	struct arena mem;                /* holds what came from a file */
	const char *word[HUB_WORDS_MAX]; /* the command and its arguments */
	size_t n_words;
	const char
		*given[HUB_FLAGS_MAX]; /* names of the flags of the command line, without dashes */
	size_t n_given;
	/* serve */
	const char *config, *state_dir, *listen, *url, *also_url, *tls_cert, *tls_key,
		*relay_listen, *relay_url, *relay_rate, *stun_listen, *stun_url, *trusted_proxy,
		*base_domain, *owner, *key_expiry, *http_listen, *packages_dir, *policy_git,
		*policy_git_branch, *policy_git_path, *policy_git_interval, *policy_git_protocols,
		*policy_git_ssh, *policy_git_secret_file;
	const char *accept_rate, *memory_max, *audit_keep;
	bool proxy_protocol, relay_open;
	/* serve: become this user; commands: whose */
	const char *user;
	/* commands */
	const char *socket, *tags, *expiry, *digest, *next, *proto, *scope, *mode, *move_to, *tag,
		*os, *sort, *at, *policy, *since, *limit;
	bool with_exit_node, yes, online, offline, expired, waiting, reverse, unpin, with_devices,
		force, replace, dry_run, approve_devices, json, limits, reusable, ephemeral,
		preapproved, qr, help, version;
};

/* at->text says what is wrong. -ERR_BAD_VALUE for usage. */
MUST_USE int hub_options_parse(
	struct hub_options *o, int argc, char *const argv[], struct err_at *at);
void hub_options_fini(struct hub_options *o);
/* The options of serve (true) or of the other commands, one a line, for the help. */
void hub_options_help(bool serve);
/* Those of one command. */
struct command;
void hub_options_help_of(
	bool (*takes)(const struct command *k, const char *name), const struct command *k);
/* Does the flag of this name (without dashes, len bytes) take a value? -1: there is none of this name; 0: a switch; 1. */
int hub_option_has_value(const char *name, size_t len);
/* The first flag that does not belong to serve, or NULL. */
const char *hub_options_not_of_serve(const struct hub_options *o);

/* "1.2.3.4:80", "[::]:80", ":80" (any address, family 0). -ERR_BAD_VALUE. */
MUST_USE int hub_listen_parse(const char *s, struct ipport *ret);

/* "http://host[:port]" or https, no path but "/". -ERR_BAD_VALUE. */
MUST_USE int hub_url_parse(const char *s, struct url *ret);

#endif
