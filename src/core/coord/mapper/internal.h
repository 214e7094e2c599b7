/* core/coord/mapper/internal: what the files of this folder share. */
#ifndef WARREN_CORE_COORD_MAPPER_INTERNAL_H
#define WARREN_CORE_COORD_MAPPER_INTERNAL_H

#include "core/coord/dns/dns.h"
#include "core/coord/intake/intake.h"
#include "core/coord/mapper/mapper.h"
#include "core/coord/policy_sync/policy_sync.h"
#include "core/coord/routes/routes.h"
#include "core/coord/tailnet/tailnet.h"

struct map_session {
	struct list in_node, all, unstarted, due;
	struct tailnet *tailnet;
	struct coord_node *node;
	void *owner;
	bool started, ended;
	bool told; /* it has had a map */
	/* It sees everybody, and of everybody what all are told: its messages are shared ones. */
	bool sees_all;
	bool hides_ip4;                                      /* its own device's */
	bool resync;                                         /* everything is to be told anew */
	bool self_stale, filter_stale, ssh_stale, dns_stale; /* perhaps */
	/* Hashes of what it was told last. */
	uint64_t self_told, filter_told, ssh_told, dns_told;
	struct dirty_peer
		*dirty; /* of a restricted one: peers of which there is something to tell */
	size_t n_dirty, cap_dirty;
	bool last; /* the message in progress is the last: its device is gone, or asked for one only */
	int64_t once_of; /* a request for one map, by this device: it is no stream of the device's; 0: it is */
	bool raw;                /* it did not ask for compression */
	uint64_t hold;           /* the message in progress begins when this batch is durable */
	struct list held;        /* while it is not */
	struct map_frame *alive; /* a whole message that goes before a held one */
	uint64_t cursor;         /* everything up to here was told */
	struct map_frame **v;    /* the message in progress */
	size_t n, at, cap, off;  /* off: of v[at] */
	uint64_t process;        /* who asks, as clone_process tells them apart */
	bool waits; /* for its turn, with its request; the stream is another process's */
	struct heap_node turn;
	char *request;
	size_t request_len;
	bool health_stale; /* what is wrong with it is another thing now */
	struct heap_node keep_alive;
	mono_ns ask_at; /* whether its program lives */
};

enum {
	MAP_DNS_MAX = 4 << 20
}; /* bytes of one DNSConfig: more than the bounds of the settings allow */
enum { DIRTY_PEERS_MAX = 4096 }; /* more: everything is told anew */
struct dirty_peer {
	int64_t id;
	bool whole;
};

/* A message that every reader gets who stands at `from` and is not in it himself. */
enum { DELTAS_KEPT = 4 };
struct delta {
	uint64_t from, to;         /* to 0: unused */
	struct map_frame *message; /* NULL: there is nothing to tell */
};

struct mapper {
	struct shed shed;
	struct list sessions;
	struct list unstarted; /* sessions that have had no map yet and wait for nothing else */
	struct list due;   /* sessions of which something has changed, but not for all readers */
	uint64_t told_seq; /* up to here all sessions have been looked at */
	bool all_due;
	struct list
		held; /* readers whose message waits for the store; in the order of its batches */
	struct heap keep_alives;
	struct heap turns,
		rivals; /* sessions that wait for their turn; when a device counts as one again */
	struct delta delta[DELTAS_KEPT];
	size_t next_delta;
	struct ZSTD_CCtx_s *zstd;
	bool installing; /* what the new policy changes for whom is worked out already */
	uint64_t
		viewers_marked; /* changes up to here are noted with the readers that are restricted */
	size_t n_restricted;    /* readers that are restricted */
	struct map filter_parts;   /* shared texts of filters, compressed */
	struct map_frame *all_ids; /* PeersRemoved of everybody */
	uint64_t all_ids_at;
	struct map_frame *keep_alive[2]; /* the message as of then, compressed and raw */
	unix_ms keep_alive_at;
	struct map_frame *comma;
	struct {             /* what all are told of DNS to whom nothing personal is */
		uint64_t of; /* dns_at of then; 0: to be made */
		struct buf text;
		struct map_frame *frame; /* of a long one */
	} dns;
};

static inline struct map_session *map_session_of(const struct coord_node *n)
{
	return list_empty(&n->sessions)
		       ? NULL
		       : container_of(n->sessions.next, struct map_session, in_node);
}

/* map_frame.c */
struct map_frame *map_frame_of(
	struct tailnet *c, const void *p, size_t n); /* compresses; one reference */
/* Whole messages, their length in front. */
struct map_frame *map_frame_message(struct tailnet *c, struct view text);
struct map_frame *map_frame_message_raw(struct view text); /* for who does not read zstd */
MUST_USE int map_frame_text(
	struct view packed, struct buf *out); /* what frames, one after another, were made of */

/* map_session.c */
struct map_session *map_session_new(
	struct tailnet *c, uint64_t process, bool raw, struct coord_node *n, void *owner);
void map_session_end(struct map_session *p);
void map_session_free(struct map_session *p);    /* its device notices nothing */
void map_session_restart(struct map_session *p); /* a whole map in this turn */
void map_session_watch(struct map_session *p);
void map_session_let_go(
	struct map_session *p); /* its device is gone; its last message may still go out */
MUST_USE int map_session_rearm(struct map_session *p, struct now now);
void map_session_set_sees_all(struct map_session *p, bool sees_all);
bool map_session_has_self_news(const struct map_session *p);
bool map_session_is_held(const struct map_session *p);
void map_session_forget_turn(struct map_session *p); /* it waits no longer */
void map_session_next_turn(
	struct coord_node *n); /* a stream ended: who waits may have it at the next tick */
void map_session_due(struct map_session *p); /* at the next flush it is looked at */
void map_session_dirty_peer(struct map_session *p, int64_t id, bool whole);
void map_session_clear_dirty(struct map_session *p);
/* A message in the making. map_session_add takes over the reference; a missing frame (no memory) ends the session: the client comes again. */
MUST_USE int map_session_add(struct map_session *p, struct map_frame *q);
MUST_USE int map_session_finish(struct map_session *p); /* puts the length in front */
MUST_USE int map_session_unpack(struct map_session *p); /* for who does not read zstd */
void map_session_ready(
	struct map_session *p); /* it is whole: it goes out when all is durable that it may tell */

/* map_node.c */
struct map_frame *map_node_whole(struct tailnet *c, struct coord_node *n); /* borrowed */
struct map_frame *map_node_patch(struct tailnet *c, struct coord_node *n); /* borrowed */
/* viewer: who is told; n itself, or NULL for what all may know. */
MUST_USE int map_node_put(struct tailnet *c, struct coord_node *n, const struct coord_node *viewer,
	struct arena *a, struct buf *out);
MUST_USE int map_node_put_patch(const struct coord_node *n, struct buf *out);
struct map_frame *map_node_group(struct tailnet *c, struct peer_group *b); /* borrowed */
MUST_USE int map_node_put_profiles(struct tailnet *c, struct buf *b);

/*
 * map_writer.c
 * Text of a message, and between it frames that others share. What fails is kept in rc, and nothing is put any more.
 */
struct map_writer {
	struct map_session *p;
	struct buf text;
	int rc;
};
void map_writer_begin(struct map_writer *d, struct map_session *p);
void map_writer_put(struct map_writer *d, const char *fmt, ...) PRINTF_LIKE(2, 3);
void map_writer_put_frame(struct map_writer *d, struct map_frame *q); /* borrowed */
MUST_USE int map_writer_end(struct map_writer *d); /* the message is complete, or rc */
void map_writer_drop(struct map_writer *d);        /* there was nothing to tell */
void map_policies_put(struct map_writer *d,
	bool all); /* filter and ssh rules: all, or what is stale and another */
void map_policies_self(struct map_writer *d, const char *before,
	bool all); /* its own document: always, or if it is another */
void map_policies_clear(struct tailnet *c);

/* map_dns.c: how names are resolved: all, or if it is another thing than before */
void map_dns_put(struct map_writer *d, bool all);

/* restricted.c: readers that are restricted */
void restricted_review(struct map_session *p); /* does it see all? */
void restricted_mark_viewers(struct tailnet *c);
size_t restricted_peers(
	struct map_writer *d); /* the list of all that it sees, and their users: how many peers */
MUST_USE int restricted_delta(struct map_session *p, struct now now);

/* map_whole.c, map_delta.c: what is told to a reader that has nothing in progress */
MUST_USE int map_whole_make(struct map_session *p, struct now now);
MUST_USE int map_delta_make(struct map_session *p, struct now now);

void keep_alive_tick(struct tailnet *c, struct now now);
void leave_tick(struct tailnet *c, struct now now);

/* clones.c: several processes with one identity */
/* clones.c: several processes with one identity */
uint64_t clone_process(const struct tc_map_request *r); /* which process asks; 0: it does not say */
bool clones_is_duplicate(const struct coord_node *n);
/* May what it says of the device count? Not while another process has the stream of a device that runs twice. */
bool clone_may_speak(struct tailnet *c, struct coord_node *n, uint64_t process, struct now now);
/* A process asks for the stream. How long it has to wait; 0: it gets it now. */
mono_ns clone_arrives(struct tailnet *c, struct coord_node *n, uint64_t process, struct now now);
/* Waits from now on, its request is copied. -ERR_TOO_MANY, -ENOMEM. */
MUST_USE int clone_wait(struct map_session *p, struct view request, mono_ns until);
void clones_forget(struct tailnet *c, struct coord_node *n);
void clones_tick(struct tailnet *c, struct now now);
void map_request_tick(struct tailnet *c, struct now now); /* whoever waited for its turn has it */

#endif
