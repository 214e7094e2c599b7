/*
 * daemon/dns/internal: between the files of dns. An exchange is one question to one server and its answer; the engine numbers them and
 * says when nobody waits any more, so there are no timers for them here. udp.c, stream.c and http.c each carry some kinds; they know
 * nothing of each other, and tell the sink what came.
 */
#ifndef WARREN_DAEMON_DNS_INTERNAL_H
#define WARREN_DAEMON_DNS_INTERNAL_H

#include "base/list/list.h"
#include "core/dns/dns.h"
#include "daemon/dial/dial.h"
#include "daemon/dns/dnsd.h"
#include "os/stream/stream.h"

enum { DNSD_BASE_MAX = 8 };

/* Who hears of exchanges. May be called from inside a send; the transport is not called back from it. */
struct dnsd_sink {
	bool (*reply)(void *ctx, uint64_t exchange, struct view msg); /* true: it is over */
	void (*failed)(void *ctx, uint64_t exchange, int rc);         /* it is over */
	void *ctx;
};

/* What all transports need. */
struct dnsd_env {
	struct engine *e;
	struct dialer *dialer;
	struct dnsd_sink sink;
	struct dnsd_io_counters *n;
};

/* ---- udp.c: a connected socket with a random port for each exchange ---- */

enum {
	DNSD_UDP_MAX = 256,     /* exchanges at a time */
	DNSD_UDP_IDLE_MAX = 16, /* sockets kept for the next exchange with their server */
	DNSD_UDP_USES_MAX = 16, /* exchanges of one socket: then it is another port's turn */
	DNSD_UDP_IDLE_S = 5,
};

struct dnsd_udp;

MUST_USE int dnsd_udp_new(struct dnsd_udp **ret, const struct dnsd_env *env);
struct dnsd_udp *dnsd_udp_free(struct dnsd_udp *u);
/* -errno, -ERR_TOO_MANY: nothing was sent. */
MUST_USE int dnsd_udp_send(
	struct dnsd_udp *u, uint64_t exchange, struct ipport to, struct view msg);
bool dnsd_udp_cancel(struct dnsd_udp *u, uint64_t exchange); /* false: it is none of these */
void dnsd_udp_close_all(struct dnsd_udp *u);
void dnsd_udp_tick(struct dnsd_udp *u, mono_ns now);
mono_ns dnsd_udp_deadline(const struct dnsd_udp *u);

/* ---- stream.c: TCP and TLS; many exchanges on one connection, which is kept for the next ---- */

enum {
	DNSD_STREAMS_MAX = 32,          /* connections */
	DNSD_STREAM_EXCHANGES_MAX = 64, /* of one of them */
	DNSD_STREAM_IDLE_S = 10,
	/* Exchanges given up since the last byte came: the connection is dead, another one is made. */
	DNSD_STREAM_SILENT_MAX = 3,
};

struct dnsd_streams;

MUST_USE int dnsd_streams_new(struct dnsd_streams **ret, const struct dnsd_env *env);
struct dnsd_streams *dnsd_streams_free(struct dnsd_streams *t);
/* up: of DNS_TCP or DNS_TLS. -ERR_TOO_MANY, -ENOMEM: nothing was sent. */
MUST_USE int dnsd_streams_send(
	struct dnsd_streams *t, uint64_t exchange, const struct dns_upstream *up, struct view msg);
bool dnsd_streams_cancel(struct dnsd_streams *t, uint64_t exchange);
void dnsd_streams_close_all(struct dnsd_streams *t);
void dnsd_streams_tick(struct dnsd_streams *t, mono_ns now);
mono_ns dnsd_streams_deadline(const struct dnsd_streams *t);

/* ---- h2.c: DoH; limits as of streams ---- */

struct dnsd_h2;

MUST_USE int dnsd_h2_new(struct dnsd_h2 **ret, const struct dnsd_env *env);
struct dnsd_h2 *dnsd_h2_free(struct dnsd_h2 *t);
/* up: of DNS_HTTPS. -ERR_TOO_MANY, -ENOMEM, -EPROTO: nothing was sent. */
MUST_USE int dnsd_h2_send(
	struct dnsd_h2 *t, uint64_t exchange, const struct dns_upstream *up, struct view msg);
bool dnsd_h2_cancel(struct dnsd_h2 *t, uint64_t exchange);
void dnsd_h2_close_all(struct dnsd_h2 *t);
void dnsd_h2_tick(struct dnsd_h2 *t, mono_ns now);
mono_ns dnsd_h2_deadline(const struct dnsd_h2 *t);

/* ---- exit.c: the exit node's PeerAPI ---- */

enum {
	DNSD_EXIT_CONNS_MAX = 16,
	DNSD_EXIT_WAITING_MAX = 256, /* questions that wait for one of these */
	DNSD_EXIT_IDLE_S = 10,
};

struct dnsd_exit;

MUST_USE int dnsd_exit_new(struct dnsd_exit **ret, const struct dnsd_env *env);
struct dnsd_exit *dnsd_exit_free(struct dnsd_exit *t);
/* up: of DNS_PEER. -ERR_TOO_MANY, -ENOMEM, -ERR_BAD_VALUE: nothing was sent. */
MUST_USE int dnsd_exit_send(
	struct dnsd_exit *t, uint64_t exchange, const struct dns_upstream *up, struct view msg);
bool dnsd_exit_cancel(struct dnsd_exit *t, uint64_t exchange);
void dnsd_exit_close_all(struct dnsd_exit *t);
void dnsd_exit_tick(struct dnsd_exit *t, mono_ns now);
mono_ns dnsd_exit_deadline(const struct dnsd_exit *t);

/* ---- resolve.c: the engine's questions and answers go where they belong ---- */

/* A program that asked over UDP, until its answer comes. */
struct dnsd_slot {
	struct ipport client;
	struct ipaddr service;
	size_t next; /* of the free ones, from 1; 0: none */
};

struct dnsd {
	struct engine *e;
	struct dns *dns;
	struct quad100 *quad100;
	struct dnsd_udp *udp;
	struct dnsd_streams *streams;
	struct dnsd_h2 *h2;
	struct dnsd_exit *exit;
	struct dnsd_listeners *listeners;
	struct dnsd_io_counters n;

	struct list askers;
	uint64_t last_id;
	struct dnsd_slot *slots;
	size_t n_slots, cap_slots, free_slot; /* from 1; 0: none */
	struct loop_task soon;
	bool running;

	struct dns_upstream base[DNSD_BASE_MAX];
	size_t n_base;
	bool changed; /* since dnsd_turn_end */
};

/* Takes what the engine has to say, until there is nothing more. */
void dnsd_run(struct dnsd *d);
/* Of core/quad100. */
void dnsd_take_questions(struct dnsd *d);
/* What the transports tell. ctx: struct dnsd. */
bool dnsd_on_reply(void *ctx, uint64_t exchange, struct view msg);
void dnsd_on_failed(void *ctx, uint64_t exchange, int rc);

/* ---- listener.c: programs on this device that ask over TCP, by core/quad100 ---- */

enum {
	DNSD_CLIENTS_MAX = 64, /* connections */
	DNSD_CLIENT_IDLE_S = 45,
	DNSD_CLIENT_OUT_MAX = 4 * (2 + 65535), /* answers that wait: beyond, nothing more is read */
};

struct dnsd_listeners;

MUST_USE int dnsd_listeners_new(
	struct dnsd_listeners **ret, struct dnsd *d, struct loop *l, struct dnsd_io_counters *n);
struct dnsd_listeners *dnsd_listeners_free(struct dnsd_listeners *t);
/* Listens on these addresses of ours, one a family, and nowhere else; an unset one: not. ret: where it does; port 0: nowhere. */
void dnsd_listeners_set(
	struct dnsd_listeners *t, const struct ipaddr own[static 2], struct ipport ret[static 2]);
void dnsd_listeners_tick(struct dnsd_listeners *t, mono_ns now);
mono_ns dnsd_listeners_deadline(const struct dnsd_listeners *t);

#endif
