/* core/derprelay: what the files of this directory share. */
#ifndef WARREN_CORE_DERPRELAY_INTERNAL_H
#define WARREN_CORE_DERPRELAY_INTERNAL_H

#include "base/bucket/bucket.h"
#include "base/err/err.h"
#include "base/heap/heap.h"
#include "base/list/list.h"
#include "base/map/map.h"
#include "core/derprelay/derprelay.h"

enum {
	RATE_OVERHEAD = DERP_HEADER_LEN + KEY_LEN
};                           /* charged beside the packet, as clients count */
enum { NOT_HERE_BURST = 3 }; /* answers that a destination is not here; then one a second */

/* Packets for one connection, of one kind. */
struct queue {
	struct list packets; /* the oldest first */
	struct list flows;   /* the same, by key */
	size_t n, bytes;
};

/* All connections of one key; and when they are gone, what is needed to tell so. */
struct client {
	struct map_node node; /* while it is here */
	struct node_pub key;
	struct list conns; /* oldest first */
	size_t n_conns;
	struct derpconn *active;  /* NULL: gone */
	struct list heard_by;     /* notes of connections that got packets from this key */
	size_t n_heard;           /* all notes of it, also those that are about to be told */
	struct list going;        /* gone, and not all that heard from it have been told */
	struct heap_node recheck; /* when it is asked again whether it may be here */
};

struct derpconn {
	struct derprelay *relay;
	void *owner;
	struct ledger_holder *holder; /* the owner's; NULL: nobody is charged */
	struct client *client;        /* NULL before login */
	struct list in_client, all, watchers;
	struct ipport remote;
	bool not_ideal, prober, mesh, watching, preferred, pong_pending, closing;
	bool asked;          /* the key of its login was looked at, and may be good */
	bool waiting;        /* somebody is asked whether it may log in; its input is kept */
	struct node_pub key; /* while it waits */
	struct buf in, control, writing;
	struct queue disco, bulk;
	struct list sent;           /* its packets that wait for others */
	size_t sent_bytes, charged; /* of these packets; what the ledger was charged for them */
	struct list heard,
		gone; /* notes of those it heard from; of those that left, it is still to be told */
	size_t n_heard,
		skip; /* both kinds of notes; bytes of a long unknown frame that are still to come */
	struct heap_node wake;
	mono_ns keep_alive_period, not_here_full_at;
	struct bucket bucket; /* what it may send */
};

struct derprelay {
	struct derprelay_cfg cfg;
	struct node_pub public;
	struct map clients;
	struct map heard; /* notes, by connection and client */
	struct list conns, watchers;
	struct list going;         /* clients that left, whose hearers are being told */
	size_t n_conns, tell_left; /* how many may be told before the next tick */
	size_t queued,
		left; /* bytes of all packets that wait; of these, of senders that have left */
	struct heap wakes, rechecks;
	struct derprelay_counters n;
};

/* conn.c: what a connection is told, beside packets */
void conn_ask_close(struct derpconn *c);
void conn_control(
	struct derpconn *c, enum derpframe_type type, const struct view *parts, size_t n_parts);
void conn_send_gone(struct derpconn *c, const struct node_pub *key, enum derp_gone reason);
void conn_send_present(struct derpconn *to, const struct derpconn *c);

/* login.c: from the first frame to a client */
/* Of a piece of the login, as soon as it names a key: -ERR_DENIED if that one may not log in. */
MUST_USE int login_preview(struct derpconn *c, const uint8_t *p, size_t len);
MUST_USE int login(struct derpconn *c, const struct derpframe *f, mono_ns now);
MUST_USE int login_decide(struct derpconn *c, bool yes, mono_ns now); /* of one that waits */
void login_leave(struct derpconn *c); /* its key's chain, and the client if it was the last */
void login_rechecks(struct derprelay *r, mono_ns now);

/* frames.c: what a client may say */
MUST_USE int frames_take(struct derpconn *c, const struct derpframe *f, mono_ns now);
bool frames_is_known(uint8_t type);

/* queue.c */
void queue_init(struct queue *q);
/* A packet for dst, charged to from. What has no room is dropped and counted. */
void queue_put(
	struct derpconn *dst, struct derpconn *from, const uint8_t *src_key, struct view pkt);
bool queue_write(struct derpconn *c, struct queue *q); /* the next one into c->writing */
void queue_clear(struct derprelay *r, struct queue *q);
void queue_settle(struct derpconn *c); /* gives back what its packets do not need now */
void queue_sender_leaves(
	struct derpconn *c); /* its packets for others stay, within DERPRELAY_LEFT_MAX */

/*
 * heard.c: notes "this connection was written a packet from that client", so that it can be told when the client is gone. A note
 * is found by hash, whoever has heard whom.
 */
void heard_note(struct derpconn *dst, struct client *from);
void heard_conn_leaves(struct derpconn *c);
void heard_client_gone(struct derprelay *r, struct client *cl); /* takes it over */
void heard_tick(struct derprelay *r);
bool heard_write(struct derpconn *c); /* that somebody is gone, into c->writing */

#endif
