/*
 * proto/resolvconf: the text of /etc/resolv.conf: read as the C library reads it, and written.
 *
 * Source: resolv.conf(5); who a file belongs to: Tailscale net/dns/resolvconf.go.
 */
#ifndef WARREN_PROTO_RESOLVCONF_RESOLVCONF_H
#define WARREN_PROTO_RESOLVCONF_RESOLVCONF_H

#include "base/buf/buf.h"
#include "proto/resolvconf/osdns.h"

enum {
	RESOLVCONF_TEXT_MAX =
		65536, /* bytes of a file that are read; real ones have some hundred */
	RESOLVCONF_OPTIONS_MAX = 32, /* words */
};

/* Views into the text. What is beyond the bounds is left out, as the C library leaves out all servers behind the third. */
struct resolvconf {
	struct view
		server[OSDNS_SERVERS_MAX]; /* as written: an address, "fe80::1%eth0", or nonsense */
	size_t n_servers;
	struct view
		search[OSDNS_SEARCH_MAX]; /* of the last "search" or "domain" line; "." is none */
	size_t n_search;
	struct view option[RESOLVCONF_OPTIONS_MAX]; /* of all "options" lines */
	size_t n_options;
};

void resolvconf_parse(struct view text, struct resolvconf *ret);

/* Who says in the comments above the first line that the file is his. */
enum resolvconf_owner {
	RESOLVCONF_NOBODY,
	RESOLVCONF_RESOLVED,
	RESOLVCONF_NETWORKMANAGER,
	RESOLVCONF_RESOLVCONF, /* Debian's or openresolv */
	RESOLVCONF_WARREN,
	RESOLVCONF_TAILSCALE,
};
enum resolvconf_owner resolvconf_owner(struct view text);

/* The servers are the stub of systemd-resolved, and nothing else: 127.0.0.53. */
bool resolvconf_is_stub(const struct resolvconf *c);
/* The address of a server; unset: it has a zone, or is none. */
struct ipaddr resolvconf_server(const struct resolvconf *c, size_t i);

/*
 * Appends a file of ours: RESOLVCONF_WARREN owns it. backup: where the comment says that the file of before is. options: of the file of
 * before, or NULL. Names and options that are no words are left out. -ENOMEM, -ERR_TOO_BIG.
 */
MUST_USE int resolvconf_format(const struct os_dns_config *c, const struct resolvconf *options,
	const char *backup, struct buf *out);
/* Its line of search domains alone, if there is one. */
MUST_USE int resolvconf_format_search(const struct os_dns_config *c, struct buf *out);

#endif
