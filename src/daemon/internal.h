/* Shared by the files of node. */
#ifndef WARREN_DAEMON_INTERNAL_H
#define WARREN_DAEMON_INTERNAL_H

#include "base/list/list.h"
#include "localapi/server/server.h"
#include "daemon/daemon.h"
#include "daemon/profiles.h"
#include "os/hostname/hostname.h"
#include "os/filequeue/filequeue.h"
#include "http/server/server.h"
#include "os/loop/loop.h"
#include "os/netmon/netmon.h"
#include "os/route/route.h"
#include "os/stream/stream.h"
#include "os/stream/tls.h"
#include "os/tun/tun.h"
#include "os/udp/udp.h"

enum {
	DAEMON_PINS_MAX =
		64, /* certificates that relays are pinned to, whose TLS contexts are kept */
	DAEMON_LOOKUPS_MAX = 16,    /* names being looked up at a time */
	DAEMON_UNREACHABLE_MAX = 8, /* addresses that could not be sent to, a turn */
	DAEMON_CHANGED_MAX = 1024,  /* peers whose change the bus tells one by one, a turn */
	DAEMON_WAITERS_MAX = 32,    /* programs that wait for a netcheck */
};

#define DAEMON_LOGOUT_PATIENCE SEC(5)
#define DAEMON_SAVE_PATIENCE SEC(5) /* a disk that takes longer is told as trouble */
#define DAEMON_MAP_DELAY MSEC(200)  /* changes come in bunches */
#define DAEMON_MAP_PERIOD SEC(2)

struct pinned {
	uint8_t pin[32];
	struct tls_ctx *tls;
};

struct daemon {
	const struct daemon_options *o;
	struct loop *loop;
	struct rng *rng;
	struct state *state;
	struct filequeue *files;
	struct loop_timer *save_timer;
	bool saving;  /* the state file waits for the disk */
	int locks[2]; /* of the state file and of the directory; -1: none */
	char profile_id[PROFILE_ID_MAX];
	uint8_t nl_key[KEY_NL_PRIVATE_LEN];

	struct node *node;
	struct loop_timer *timer; /* node_deadline */

	struct tun *tun;
	struct route *route;
	struct udp *udp;
	struct netmon *netmon;
	struct hostname_watch *hostname_watch; /* NULL: this system does not tell */
	bool tun_gone;
	uint64_t direct_in[2], direct_in_bytes[2], direct_out[2],
		direct_out_bytes[2]; /* WireGuard by family: IPv4, IPv6 */
	struct ipport unreachable[DAEMON_UNREACHABLE_MAX];
	size_t n_unreachable;

	struct list links;             /* struct link */
	struct list streams, measures; /* struct node_stream, struct measure */
	size_t n_lookups;
	uint64_t lookups, lookups_refused;
	struct tls_ctx *tls_verified, *tls_any;
	struct pinned pins[DAEMON_PINS_MAX];
	size_t n_pins;

	struct lapi *lapi;
	struct httpd *debug;
	struct lapi_call *waiters[DAEMON_WAITERS_MAX]; /* for a netcheck */
	size_t n_waiters;
	struct list pings; /* struct node_ping */

	/* What a turn leaves to its end. */
	bool save, net_config, self_changed, netcheck_done, offloads;
	unsigned trouble;   /* NODE_TROUBLE_ */
	bool was_logged_in; /* this profile has a node key */
	bool ending;        /* logging out before the end */
	bool changed_all;   /* more peers changed than are told one by one */
	int64_t changed[DAEMON_CHANGED_MAX], removed[DAEMON_CHANGED_MAX];
	size_t n_changed, n_removed;
	mono_ns map_written;
	size_t map_size;
	struct loop_timer *map_timer;
	bool map_dirty;
	bool map_asked, map_refused; /* the hub wants it to be kept; it does not any more */
	struct loop_timer *health_timer;
	bool health_watched;
	char *health_text; /* as last told */
	uint64_t saves_failed;
};

/* ---- node.c ---- */

/* Another profile, taken. */
MUST_USE int daemon_become(struct daemon *n, struct profile *take);
/* Keys and preferences into the state file, if they are worth it and differ. */
void daemon_save(struct daemon *n);

/* ---- link.c: streams to somewhere, and name lookups ---- */

struct link;
struct link_ops {
	void (*up)(void *owner);
	int (*data)(
		void *owner, uint8_t *p, size_t len); /* negative: close; then closed is called */
	struct view (*output)(void *owner);
	void (*written)(void *owner, size_t n);
	void (*closed)(void *owner, int rc); /* from the loop, once; the link is gone */
};

/* NULL: no memory. */
struct link *link_open(
	struct daemon *n, const struct node_dial *d, const struct link_ops *ops, void *owner);
struct link *link_close(struct link *k); /* nothing is called any more */
void link_wake(struct link *k);
/* A relay's public key, by its TLS certificates; only in the up callback and later. */
bool link_relay_key(const struct link *k, struct node_pub *ret);
void link_resolve(void *owner, const char *host);
void link_reload_roots(struct daemon *n); /* of the system, for streams from now on */
void link_fini(struct daemon *n);         /* after the loop has ended */

/* ---- streams.c: the engine's streams ---- */

void streams_dial(void *owner, unsigned stream, const struct node_dial *d);
void streams_hangup(void *owner, unsigned stream);
void streams_wake(void *owner, unsigned stream);
void streams_measure(void *owner, int region, const struct node_dial *d);
void streams_close_all(struct daemon *n);

/* ---- net.c: packets, routes, the network's changes ---- */

MUST_USE int net_open_tun(struct daemon *n);
MUST_USE int net_open_sockets(struct daemon *n);
/* Sets or clears a bit of trouble, for the health of this device. */
void daemon_trouble(struct daemon *n, unsigned bit, bool on);
void net_apply(struct daemon *n); /* what the engine wants of routes */
void net_close(struct daemon *n);
void net_udp_send(void *owner, struct ipport to, const struct wg_packet *d, size_t n);
void net_tun_write(void *owner, struct wg_packet *p, size_t n);
void net_tell_local(struct daemon *n, bool link_changed);
void net_turn_end(struct daemon *n);

/* ---- files.c: what is written to the disk ---- */

MUST_USE int files_open(struct daemon *n);
/* Writes the state file if something changed. rc: what became of bringing the state up to date. */
void files_save_state(struct daemon *n, int rc);
bool files_unsaved(void *backend);  /* something that was changed is not on the disk yet */
void files_close(struct daemon *n); /* waits until all is written */

/* ---- mapcache.c: the last network map on disk ---- */

/* Into out, empty if there is none. */
void mapcache_read(struct daemon *n, struct buf *out);
void mapcache_begun(struct daemon *n); /* the engine has what was read */
void mapcache_changed(struct daemon *n);
void mapcache_flush(struct daemon *n);
void mapcache_remove(struct daemon *n, const char *profile_id);
void mapcache_on_timer(void *ctx);

/* ---- bus.c: what programs hear ---- */

void bus_event(struct daemon *n, const struct node_event *e);
void bus_all_removed(struct daemon *n); /* another profile comes: none of these peers is its */
void bus_turn_end(struct daemon *n);
void bus_on_health_timer(void *ctx);

/* ---- backend.c, metrics.c ---- */

extern const struct lapi_backend_ops daemon_backend;
void backend_netcheck_done(struct daemon *n);
void backend_drop_calls(struct daemon *n); /* they are answered */
MUST_USE int daemon_user_metrics(void *backend, struct buf *out);
MUST_USE int daemon_metrics(void *backend, struct buf *out);
MUST_USE int daemon_debug_listen(struct daemon *n, const char *addr); /* failure was logged */

/* ---- hostinfo.c ---- */

/* From now on the engine is told when the machine has another name. */
void daemon_watch_hostname(struct daemon *n);
MUST_USE int daemon_hostinfo(
	struct arena *a, const struct secret_machine *machine, struct tc_hostinfo *ret);

#endif
