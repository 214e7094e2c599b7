/* core/wg/internal: what the files of this directory share. Not for others: they have wg.h. */
#ifndef WARREN_CORE_WG_INTERNAL_H
#define WARREN_CORE_WG_INTERNAL_H

#include "base/heap/heap.h"
#include "base/list/list.h"
#include "base/map/map.h"
#include "base/ratelimit/ratelimit.h"
#include "core/wg/allowedips.h"
#include "core/wg/cookie.h"
#include "core/wg/handshake.h"
#include "core/wg/replay.h"
#include "core/wg/wg.h"
#include "crypto/chapoly/chapoly.h"

#include <stdatomic.h>

static_assert(PKT_HEADROOM == sizeof(struct wgmsg_transport) && PKT_TAILROOM == 15 + WGMSG_TAG_LEN,
	"what a data message has around the packet");

/* The constants of the paper, section 6.1. */
#define REKEY_AFTER_TIME SEC(120)
/*
 * After two initiations that crossed both sides have a session of their own making, and would renew it at the same moment for
 * ever, losing what is under way each time. The one with the larger key waits so much longer: longer than any round trip.
 */
#define REKEY_STAGGER SEC(10)
#define REJECT_AFTER_TIME SEC(180)
#define REKEY_ATTEMPT_TIME SEC(90)
#define REKEY_TIMEOUT SEC(5)
#define KEEPALIVE_TIMEOUT SEC(10)
#define REKEY_AFTER_MESSAGES ((uint64_t)1 << 60)
#define REJECT_AFTER_MESSAGES (UINT64_MAX - ((uint64_t)1 << 13))
/* Between two initiations of one peer that we take (wireguard-go's flood limit). */
#define INITIATION_GAP MSEC(20)
/* Between two initiations that the owner asks for. */
#define RETRY_GAP MSEC(100)
/* So long the answer may be under way: until then the owner's retry repeats the message instead of making another. */
#define INITIATION_REPEATS MSEC(500)

enum timer {
	TIMER_RETRANSMIT,    /* the initiation was not answered */
	TIMER_KEEPALIVE,     /* we received data and sent nothing since */
	TIMER_NEW_HANDSHAKE, /* we sent data and received nothing since */
	TIMER_ZERO_KEYS,     /* no session was made for long: forget all keys */
	TIMER_PERSISTENT,    /* the keepalive that the owner asked for */
	N_TIMERS,
};

/*
 * What a completed handshake made. Ready for more threads than the device's own: who keeps one beyond a call holds a reference
 * (wg_session_ref), takes counters by wg_session_reserve and judges them by wg_replay_accept. remote_index, initiator, born and
 * rekey_at do not change once the session is in its table. A cipher object (send, receive) serves one thread at a time. All else is
 * the device's thread's.
 */
struct wg_session {
	atomic_uint refs;
	_Atomic uint64_t send_counter; /* the next one */
	struct replay replay;
	struct chapoly send, receive;
	bool initiator;
	uint32_t remote_index;
	mono_ns born, rekey_at;
	mono_ns last_rx;           /* the last authentic packet; 0: none */
	struct index_entry *index; /* NULL: no longer in the table */
};

/* Which peer and which handshake or session a local index belongs to. */
struct index_entry {
	struct map_node node;
	uint32_t index;
	struct wg_peer *peer;
};

enum { SESSION_CURRENT, SESSION_PREVIOUS, SESSION_NEXT, N_SESSIONS };

struct staged {
	struct list link;
	size_t len;
	uint8_t mem[]; /* PKT_ROOM(len) */
};

struct wg_peer {
	struct map_node node;
	struct allowedips_owner allowed;
	struct wg_device *dev;
	struct node_pub key;
	void *owner;
	struct wg_source source;
	size_t source_bytes; /* came from there, and the owner has not asked */
	struct handshake_peer hs_peer;
	struct cookie_sender cookies;
	struct handshake hs; /* our own initiation; theirs is answered at once and needs no state */
	struct index_entry *hs_index;
	struct wgmsg_initiation *
		initiation; /* the one that hs is about, as it was sent; NULL: none, or no memory */
	mono_ns initiation_made;
	struct wg_session *session[N_SESSIONS]; /* NULL: none */
	struct list staged;
	size_t n_staged;
	uint8_t last_timestamp[WGMSG_TAI64N_LEN],
		sent_timestamp[WGMSG_TAI64N_LEN]; /* theirs, ours */
	mono_ns last_initiation_seen, last_initiation_sent, attempt_started;
	mono_ns timer[N_TIMERS];
	struct heap_node wake; /* at the earliest of timer[], or before it */
	unsigned keepalive_s;
	bool sent_data_since_handshake, keepalive_again;
	struct wg_peer_stats stats;
};

/*
 * A call's worth: of each datagram of a batch at most five things come out (it roamed, it is an answer, a session, what waited for it, the
 * next initiation), and two messages.
 */
enum { QUEUE_MAX = 5 * PKT_BATCH_MAX, MESSAGES_MAX = 2 * PKT_BATCH_MAX, SAID_AT_ONCE_MAX = 8 };

struct queued {
	struct wg_out out;
	mono_ns at;
	bool staged; /* all that is staged for the peer, sealed at the time */
	bool gone;   /* its peer was removed */
};

struct message {
	struct pkt pkt;
	struct node_pub key; /* of WG_OUT_UNKNOWN_PEER */
	uint8_t mem[PKT_ROOM(WG_COPY_MAX)];
};

static_assert(sizeof(struct wgmsg_initiation) <= WG_COPY_MAX + PKT_TAILROOM,
	"a message has room for the largest");

struct queue {
	size_t n, next; /* put in; the first that was not taken */
	size_t n_messages, n_inner;
	struct staged *staged; /* that was taken last; NULL: none */
	struct pkt staged_pkt;
	struct queued v[QUEUE_MAX];
	struct pkt inner[PKT_BATCH_MAX];
	struct message messages[MESSAGES_MAX];
};

struct wg_device {
	struct handshake_self self;
	struct node_pub public;
	struct wg_cfg cfg;
	struct map peers, indices;
	struct heap wakes;
	struct allowedips allowed;
	struct cookie_checker checker;
	struct ratelimit ratelimit; /* of hosts that have shown a cookie, under load (paper, 5.3) */
	struct wg_counters counters;
	unsigned load_limit, load_count;
	mono_ns load_second;
	struct queue queue; /* the last: it ends in buffers */
};

/* index.c */
struct index_entry *wg_index_new(struct wg_device *d, struct wg_peer *p);
struct index_entry *wg_index_find(struct wg_device *d, uint32_t index);
void wg_index_free(struct wg_device *d, struct index_entry *e);

/* session.c */
struct wg_session *wg_session_ref(struct wg_session *k);
void wg_session_unref(struct wg_session *k); /* NULL is fine */
/* Takes the index. -ENOMEM, -ERR_CRYPTO: the sessions are as before. */
MUST_USE int wg_session_begin_take(struct wg_peer *p, const struct handshake_keys *k,
	struct index_entry *index, uint32_t remote_index, bool initiator, mono_ns now);
void wg_session_confirm(
	struct wg_peer *p); /* the responder's next session was used: it becomes current */
void wg_session_clear(struct wg_device *d, struct wg_peer *p);
struct wg_session *wg_session_to_send(
	struct wg_peer *p, mono_ns now); /* NULL: a handshake is needed */
struct wg_session *wg_session_by_index(struct wg_peer *p, uint32_t local_index);
uint64_t wg_session_sent(const struct wg_session *k);
/* n counters in a row for the sender alone, n <= PKT_BATCH_MAX. False: the session is used up. */
MUST_USE bool wg_session_reserve(struct wg_session *k, size_t n, uint64_t *ret_first);
/* Time or count say that a new handshake should start. */
bool wg_session_wants_rekey_on_send(const struct wg_session *k, mono_ns now);
bool wg_session_wants_rekey_on_receive(const struct wg_session *k, mono_ns now);

/* queue.c */
/* For n things and n messages? */
bool wg_queue_has_room(const struct wg_device *d, size_t n);
/* False: there is no room, and it is counted. */
bool wg_queue_add(struct wg_device *d, struct wg_out o);
void wg_queue_add_staged(struct wg_device *d, struct wg_peer *p, mono_ns now);
/* Memory for a message of len bytes, with room around it. NULL: there is no room, and it is counted. */
struct message *wg_queue_message(struct wg_device *d, size_t len);
/* Memory for n inner packets, then how many of them there are. NULL: there is no room, and it is counted. */
struct pkt *wg_queue_inner(struct wg_device *d, size_t n);
void wg_queue_add_inner(struct wg_device *d, struct wg_peer *p, size_t n);
struct queued *wg_queue_head(struct wg_device *d); /* NULL: all was taken */
void wg_queue_pop(struct wg_device *d);
void wg_queue_forget_peer(struct wg_device *d, const struct wg_peer *p);

/* send.c */
void wg_send_initiation(struct wg_device *d, struct wg_peer *p, struct now now, bool retry);
/* Our initiation was answered, or is of no use any more. The index stays if a session has it. */
void wg_send_end_initiation(struct wg_device *d, struct wg_peer *p, bool keep_index);
/* Consumes the handshake: it is wiped. */
void wg_send_response(struct wg_device *d, struct wg_peer *p, struct handshake *h, struct now now);
void wg_send_keepalive(struct wg_device *d, struct wg_peer *p, struct now now);
void wg_send_staged(struct wg_device *d, struct wg_peer *p, struct now now);
/* The oldest, sealed; its memory is the caller's. NULL: none, or no session. */
struct staged *wg_send_next_staged(
	struct wg_device *d, struct wg_peer *p, mono_ns now, struct pkt *ret);
void wg_send_drop_staged(struct wg_peer *p);

/* timers.c: callers report what happened; that file knows which timer moves, and tick.c what follows when its time comes */
void wg_timers_arm(struct wg_peer *p, enum timer t, mono_ns at);
void wg_timers_disarm(struct wg_peer *p, enum timer t);
void wg_timers_data_sent(struct wg_peer *p, mono_ns now);
void wg_timers_data_received(struct wg_peer *p, mono_ns now);
void wg_timers_any_sent(struct wg_peer *p, mono_ns now);
void wg_timers_any_received(struct wg_peer *p);
void wg_timers_initiation_sent(struct wg_peer *p, mono_ns now);
void wg_timers_handshake_complete(struct wg_peer *p);
void wg_timers_session_derived(struct wg_peer *p, mono_ns now);
void wg_timers_keepalive_set(struct wg_peer *p, mono_ns now);
void wg_timers_stop(struct wg_peer *p);

/* peer.c */
void wg_peer_forget_keys(struct wg_device *d, struct wg_peer *p); /* sessions, handshake, timers */

#endif
