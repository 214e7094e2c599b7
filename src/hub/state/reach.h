/*
 * hub/state/reach: where devices find the hub's relay and STUN. Pure: what was asked for goes in, which listeners are needed and what
 * devices are told comes out. The operator guide has the same rules as a table ("What devices are told").
 */
#ifndef WARREN_HUB_STATE_REACH_H
#define WARREN_HUB_STATE_REACH_H

#include "hub/state/options.h"
#include "proto/tailcfg/tailcfg.h"

enum { REACH_REGION = 900 }; /* 900 to 999 are for private relays */
enum { REACH_STUN_PORT = 3478, REACH_TLS_PORT = 443 };

struct reach_ask {
	struct url url;
	struct ipport listen; /* port 0: any */
	bool own_cert;        /* --listen speaks TLS */
	const char *relay_listen, *relay_url, *stun_listen,
		*stun_url; /* of the options; NULL: not given */
};

enum reach_relay {
	REACH_NO_RELAY,
	REACH_RELAY_SHARED,   /* behind --listen: with TLS of its own, or of the proxy in front */
	REACH_RELAY_OWN_PORT, /* on a TLS port of its own with the hub's certificate */
	REACH_RELAY_PINNED, /* on a TLS port of its own with a self-made certificate that devices are told the hash of */
};

struct reach_place {
	char host[256];   /* without brackets; "": devices are told of none */
	struct ipaddr ip; /* set if the host is an address */
	uint16_t port;    /* 0: the listener's, known once it is bound */
};

struct reach {
	enum reach_relay relay;
	struct reach_place relay_at, stun_at;
	struct ipport relay_listen; /* of REACH_RELAY_OWN_PORT and _PINNED */
	struct ipport stun_listen;
	bool relay_any_port,
		stun_any_port; /* nobody asked for this port: if it is taken, another will do */
	bool stun;             /* a listener for STUN is opened */
};

/* -ERR_BAD_VALUE: at->text says which option and why. */
MUST_USE int reach_decide(const struct reach_ask *ask, struct reach *ret, struct err_at *at);

/* Devices are told a place, but the listener is on loopback: only what passes it on leads there. */
bool reach_needs_help(const struct reach_place *p, struct ipport bound);

/* What is known once the listeners are open. */
struct reach_bound {
	uint16_t relay_port, stun_port;
	bool plain_80;   /* plain HTTP of the hub answers on port 80 of the URL's host */
	const char *pin; /* "sha256-raw:HEX" of the relay's certificate, or "" */
	const char *base_domain;
};

/*
 * One region with the relay, and STUN as a node of its own when it is at another host. Without a relay there is none. The texts
 * are the arena's and the arguments'. unpinned: for clients that know no pins and are told not to check instead.
 */
MUST_USE int reach_map(const struct reach *r, const struct url *url, const struct reach_bound *b,
	bool unpinned, struct arena *a, struct tc_derp_map *ret);
/* The name in a self-made certificate, and in the map: a host, or for an IPv6 address a name that nobody looks up. */
const char *reach_relay_name(const struct reach *r, const char *base_domain, struct arena *a);
/* "HOST:PORT" for people; "" if devices are told of none. out has REACH_TEXT_MAX. */
enum { REACH_TEXT_MAX = 300 };
char *reach_format(const struct reach_place *p, uint16_t bound_port, char *out);

#endif
