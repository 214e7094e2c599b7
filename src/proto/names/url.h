/*
 * proto/names/url: which hosts and URLs of others may be used. They go into requests, onto terminals and to browsers: what has a line
 * end, a blank or a quote in it would be read as something else there.
 */
#ifndef WARREN_PROTO_NAMES_URL_H
#define WARREN_PROTO_NAMES_URL_H

#include "base/err/err.h"
#include "base/netip/netip.h"

enum {
	HOST_MAX = 253, /* bytes of a host's or a domain's name */
	URL_MAX = 2048,
};

/* Labels of letters, digits, '-' and, as some systems have them, '_'; with or without a dot at the end. */
bool url_host_is_name(const char *s);
/* family 4 or 6, or 0: either. */
bool url_host_is_ip(const char *s, int family);
/* Such a name, or an address without brackets. NULL is none. */
bool url_host_is_sound(const char *host);
struct url {
	bool https;
	char host[HOST_MAX + 1]; /* without brackets */
	struct ipaddr ip;        /* set if the host is an address */
	uint16_t port;
	bool port_given; /* else it is the scheme's */
};
/* "http://HOST[:PORT]" or https, and what is behind that: *ret_path is in text, "" or from its '/' or '?' on. -ERR_BAD_VALUE. */
MUST_USE int url_parse(const char *text, struct url *ret, const char **ret_path);

/* http or https, a host with or without a port, and no characters but those that URLs have. NULL is none. */
bool url_is_sound(const char *url);

#endif
