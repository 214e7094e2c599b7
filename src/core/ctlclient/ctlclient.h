/*
 * core/ctlclient: a node's side of the control protocol, without I/O: the hub's key, the dial race, registration and
 * login, the map poll, and lite updates. Byte streams are the owner's: the engine asks for them (dial, hangup) and is
 * told what became of them. After any call the owner writes out ctlclient_output of every connection it holds and arms a
 * timer for ctlclient_deadline.
 *
 * A node that was registered before sends its registration and its poll together in the first flight after Noise, so that
 * with a cached hub key the first map costs two round trips and TCP's own.
 *
 * Source: Tailscale control/controlclient, control/controlhttp; docs/protocol/ts2021.md, control.md.
 */
#ifndef WARREN_CORE_CTLCLIENT_CTLCLIENT_H
#define WARREN_CORE_CTLCLIENT_CTLCLIENT_H

#include "core/ts2021/ts2021.h"
#include "proto/tailcfg/tailcfg.h"

enum {
	CTLCLIENT_VERSION =
		148, /* capability version: docs/protocol/control.md says, number by number, what that claims */
	CTLCLIENT_FRAME_MAX = 64 << 20, /* a compressed map message */
	CTLCLIENT_MAP_MAX = 256 << 20,  /* one decoded: 10,000 peers are some 15 MB */
	CTLCLIENT_REPLY_MAX = 1 << 20,
	CTLCLIENT_URL_MAX = 256,
	CTLCLIENT_REASON_MAX = 256, /* of what a hub says of a setting that it refuses */
};

#define CTLCLIENT_SETTLED \
	SEC(60) /* a session that lived so long was a good one: its end is not held against the hub */
/* A hub that is busy says when to come again; what it does not say, or not sensibly, is 5 to 10 s. */
#define CTLCLIENT_RETRY_MAX SEC(300)
#define CTLCLIENT_RETRY_BELIEVED SEC(3600)
#define CTLCLIENT_SILENCE \
	SEC(120) /* a poll without even a keep-alive is dead; hubs send one a minute */

enum ctlclient_conn {
	CTL_CONN_KEY,   /* GET /key */
	CTL_CONN_PLAIN, /* the two of the race for /ts2021 */
	CTL_CONN_TLS,
	CTL_CONNS,
};

enum ctlclient_tls {
	CTL_TLS_NONE,
	CTL_TLS_VERIFIED,
	CTL_TLS_ANY_CERT, /* Noise inside authenticates the hub */
};

enum ctlclient_state {
	CTL_STOPPED,
	CTL_CONNECTING,
	CTL_NEEDS_LOGIN, /* text: the URL to visit, or why the hub refuses */
	CTL_RUNNING,     /* maps come */
	CTL_LOGGED_OUT,
};

struct ctlclient_ops {
	/* Open a stream; answer with ctlclient_connected or ctlclient_closed, also later. */
	void (*dial)(void *owner, enum ctlclient_conn id, const char *host, uint16_t port,
		enum ctlclient_tls tls);
	/* Close it; no ctlclient_closed is due. */
	void (*hangup)(void *owner, enum ctlclient_conn id);
	/* Fill in what the node says of itself: disco key, endpoints and their types, hostinfo, debug flags. */
	void (*describe)(void *owner, struct tc_map_request *m);
	/* Make the next node key; it counts once on_registered names it. */
	void (*new_node_key)(void *owner, struct node_pub *ret);
	void (*on_hub_key)(void *owner, const struct machine_pub *key); /* worth caching */
	void (*on_registered)(
		void *owner, const struct node_pub *key, const struct tc_register_response *r);
	/* m: valid during the call. The first of each stream begins everything anew (ctlclient_map_is_first). */
	void (*on_map)(void *owner, const struct tc_map_response *m);
	void (*on_state)(void *owner, enum ctlclient_state s, const char *text);
	/* The hub is not reached, or was lost, and is tried again: why, and what a person can do. Over with the next on_state. */
	void (*on_error)(void *owner, const char *why);
	/* May be NULL. The hub has moved and proved itself by its key: it is at this URL from now on. */
	void (*on_moved)(void *owner, const char *url);
	/* strict: there is another hub at the URL. Nothing was asked of it; it is tried again until the owner frees the engine. */
	void (*on_other_hub)(void *owner);
	/* May be NULL. The hub shows another key than before over plain HTTP: not taken before a login. It is tried again. */
	void (*on_other_key)(void *owner);
	/* The hub takes the device, but not one of its settings, and says why; NULL: it takes all of them again. May be NULL. */
	void (*on_refused)(void *owner, const char *why);
	/* A login with a fresh key was refused; the device goes on with the key that it has. May be NULL. */
	void (*on_login_refused)(void *owner, const char *why);
};

struct ctlclient_config {
	const char *url;      /* http://host[:port] or https:// */
	const char *auth_key; /* or NULL: log in at a URL. Forgotten when the hub has taken it */
	struct secret_machine machine;
	struct machine_pub hub;         /* cached, or zero: fetched */
	struct machine_pub known;       /* hub zero: the key that it had; zero: none is known */
	bool strict;                    /* one with another key is not the hub that is meant */
	struct node_pub node, old_node; /* zero: none yet */
	bool registered;                /* this node key was accepted in an earlier life */
	bool ephemeral;
};

struct ctlclient;

/* -ERR_BAD_VALUE: the URL. */
MUST_USE int ctlclient_new(struct ctlclient **ret, const struct ctlclient_config *cfg,
	struct rng *rng, const struct ctlclient_ops *ops, void *owner);
struct ctlclient *ctlclient_free(struct ctlclient *c);

void ctlclient_start(struct ctlclient *c, struct now now);
void ctlclient_stop(struct ctlclient *c);
/* The machine's network is another one: what is open leads nowhere. Without a back-off. */
void ctlclient_reconnect(struct ctlclient *c, struct now now);
/* Log in anew with a fresh node key, or with a key; the old node key's poll goes on until it is replaced. */
void ctlclient_login(struct ctlclient *c, const char *auth_key, struct now now);
/* Does a login with a fresh node key and the auth key wait for the hub's answer? */
bool ctlclient_joins_by_key(const struct ctlclient *c);
void ctlclient_logout(struct ctlclient *c, struct now now);
/* What describe tells has changed. */
void ctlclient_update(struct ctlclient *c, struct now now);
/* So have the settings in it, which a person chooses: what the hub refused of the old ones is forgotten. */
void ctlclient_settings_changed(struct ctlclient *c);
/* Do maps come? Also while a login with another key waits. */
bool ctlclient_hears_maps(const struct ctlclient *c);
/* A request of the owner's own (answers to pings); its answer is discarded. -ERR_BAD_STATE without a connection. */
MUST_USE int ctlclient_request(
	struct ctlclient *c, const char *method, const char *path, struct view body);

void ctlclient_connected(struct ctlclient *c, enum ctlclient_conn id, struct now now);
void ctlclient_feed(struct ctlclient *c, enum ctlclient_conn id, struct view data, struct now now);
void ctlclient_closed(struct ctlclient *c, enum ctlclient_conn id, int rc, struct now now);
struct view ctlclient_output(struct ctlclient *c, enum ctlclient_conn id);
void ctlclient_written(struct ctlclient *c, enum ctlclient_conn id, size_t n);
bool ctlclient_map_is_first(const struct ctlclient *c); /* inside on_map */
mono_ns ctlclient_deadline(const struct ctlclient *c);
void ctlclient_tick(struct ctlclient *c, struct now now);

#endif
