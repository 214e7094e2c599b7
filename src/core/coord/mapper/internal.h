/* core/coord/mapper/internal: what the files of this folder share. */
#ifndef WARREN_CORE_COORD_MAPPER_INTERNAL_H
#define WARREN_CORE_COORD_MAPPER_INTERNAL_H

#include "core/coord/intake/intake.h"
#include "core/coord/mapper/mapper.h"
#include "core/coord/policy_sync/policy_sync.h"
#include "core/coord/routes/routes.h"
#include "core/coord/tailnet/tailnet.h"

struct coord_poll {
	struct list in_node, all, unstarted;
	struct tailnet *tailnet;
	struct coord_node *node;
	void *owner;
	bool started, ended;
	bool told; /* it has had a map */
	/* It sees everybody, and of everybody what all are told: its messages are shared ones. */
	bool plain;
	bool hides_ip4;                            /* its own device's */
	bool again;                                /* everything is to be told anew */
	bool self_stale, filter_stale, ssh_stale;  /* perhaps */
	uint64_t self_told, filter_told, ssh_told; /* hashes of what it was told last */
	struct retell *retell; /* unless plain: peers of which there is something to tell */
	size_t n_retell, cap_retell;
	bool last; /* the message in progress is the last: its device is gone, or asked for one only */
	int64_t once_of; /* a request for one map, by this device: it is no stream of the device's; 0: it is */
	bool raw;               /* it did not ask for compression */
	uint64_t hold;          /* the message in progress begins when this batch is durable */
	struct list held;       /* while it is not */
	struct piece *alive;    /* a whole message that goes before a held one */
	uint64_t cursor;        /* everything up to here was told */
	struct piece **v;       /* the message in progress */
	size_t n, at, cap, off; /* off: of v[at] */
	uint64_t process;       /* who asks, as clone_process tells them apart */
	bool waits; /* for its turn, with its request; the stream is another process's */
	struct heap_node turn;
	char *request;
	size_t request_len;
	bool health_stale; /* what is wrong with it is another thing now */
	struct heap_node keep_alive;
	mono_ns ask_at; /* whether its program lives */
};

enum { RETELL_MAX = 4096 }; /* more: everything is told anew */
struct retell {
	int64_t id;
	bool whole;
};

/* A message that every reader gets who stands at `from` and is not in it himself. */
enum { DELTAS_KEPT = 4 };
struct delta {
	uint64_t from, to;     /* to 0: unused */
	struct piece *message; /* NULL: there is nothing to tell */
};

struct mapper {
	struct shed shed;
	struct list polls;
	struct list unstarted; /* polls that have had no map yet and wait for nothing else */
	struct list
		held; /* readers whose message waits for the store; in the order of its batches */
	struct heap keep_alives;
	struct heap turns,
		rivals; /* polls that wait for their turn; when a device counts as one again */
	struct delta delta[DELTAS_KEPT];
	size_t next_delta;
	struct ZSTD_CCtx_s *zstd;
	bool installing; /* what the new policy changes for whom is worked out already */
	uint64_t spread; /* changes up to here are noted with the readers that are not plain */
	size_t n_own;    /* readers that are not plain */
	struct map filter_parts; /* shared texts of filters, compressed */
	struct piece *all_ids;   /* PeersRemoved of everybody */
	uint64_t all_ids_at;
	struct piece *keep_alive[2]; /* the message as of then, compressed and raw */
	unix_ms keep_alive_at;
	struct piece *comma;
};

static inline struct coord_poll *poll_of(const struct coord_node *n)
{
	return list_empty(&n->polls) ? NULL
				     : container_of(n->polls.next, struct coord_poll, in_node);
}

/* map_frame.c */
struct piece *piece_of(struct tailnet *c, const void *p, size_t n); /* compresses; one reference */
/* Whole messages, their length in front. */
struct piece *piece_framed(struct tailnet *c, struct view text);
struct piece *piece_framed_raw(struct view text); /* for who does not read zstd */
MUST_USE int piece_text(
	struct view packed, struct buf *out); /* what pieces, one after another, were made of */

/* map_session.c */
struct coord_poll *poll_new(
	struct tailnet *c, uint64_t process, bool raw, struct coord_node *n, void *owner);
void poll_end(struct coord_poll *p);
void poll_free(struct coord_poll *p);       /* its device notices nothing */
void poll_begin_anew(struct coord_poll *p); /* a whole map in this turn */
void poll_watch(struct coord_poll *p);
void poll_let_go(struct coord_poll *p); /* its device is gone; its last message may still go out */
MUST_USE int poll_rearm(struct coord_poll *p, struct now now);
void poll_set_plain(struct coord_poll *p, bool plain);
bool poll_has_own_news(const struct coord_poll *p);
bool poll_is_held(const struct coord_poll *p);
void poll_forget_turn(struct coord_poll *p); /* it waits no longer */
void poll_next_turn(
	struct coord_node *n); /* a stream ended: who waits may have it at the next tick */
void retell(struct coord_poll *p, int64_t id, bool whole);
void retell_clear(struct coord_poll *p);
/* A message in the making. message_add takes over the reference; a missing piece (no memory) ends the poll: the client comes again. */
MUST_USE int message_add(struct coord_poll *p, struct piece *q);
MUST_USE int message_finish(struct coord_poll *p); /* puts the length in front */
MUST_USE int message_unpack(struct coord_poll *p); /* for who does not read zstd */
void message_ready(
	struct coord_poll *p); /* it is whole: it goes out when all is durable that it may tell */

/* map_node.c */
struct piece *coord_node_whole(struct tailnet *c, struct coord_node *n); /* borrowed */
struct piece *coord_node_patch(struct tailnet *c, struct coord_node *n); /* borrowed */
/* viewer: who is told; n itself, or NULL for what all may know. */
MUST_USE int put_node(struct tailnet *c, struct coord_node *n, const struct coord_node *viewer,
	struct arena *a, struct buf *out);
MUST_USE int put_patch(const struct coord_node *n, struct buf *out);
struct piece *block_whole(struct tailnet *c, struct block *b); /* borrowed */
MUST_USE int put_profiles(struct tailnet *c, struct buf *b);

/*
 * map_writer.c
 * Text of a message, and between it pieces that others share. What fails is kept in rc, and nothing is put any more.
 */
struct draft {
	struct coord_poll *p;
	struct buf text;
	int rc;
};
void draft_begin(struct draft *d, struct coord_poll *p);
void draft_put(struct draft *d, const char *fmt, ...) PRINTF_LIKE(2, 3);
void draft_shared(struct draft *d, struct piece *q); /* borrowed */
MUST_USE int draft_end(struct draft *d);             /* the message is complete, or rc */
void draft_drop(struct draft *d);                    /* there was nothing to tell */
void draft_policies(
	struct draft *d, bool all); /* filter and ssh rules: all, or what is stale and another */
void draft_self(struct draft *d, const char *before,
	bool all); /* its own document: always, or if it is another */
void filter_parts_clear(struct tailnet *c);

/* restricted.c: readers that are not plain */
void poll_review(struct coord_poll *p); /* is it plain? */
void spread_changes(struct tailnet *c);
size_t own_peers(
	struct draft *d); /* the list of all that it sees, and their users: how many peers */
MUST_USE int own_delta(struct coord_poll *p, struct now now);

/* map_whole.c, map_delta.c: what is told to a reader that has nothing in progress */
MUST_USE int make_whole(struct coord_poll *p, struct now now);
MUST_USE int make_delta(struct coord_poll *p, struct now now);

void keep_alive_tick(struct tailnet *c, struct now now);
void ephemerals_tick(struct tailnet *c, struct now now);

/* clones.c: several processes with one identity */
/* clones.c: several processes with one identity */
uint64_t clone_process(const struct tc_map_request *r); /* which process asks; 0: it does not say */
bool coord_node_is_duplicate(const struct coord_node *n);
/* May what it says of the device count? Not while another process has the stream of a device that runs twice. */
bool clone_may_speak(struct tailnet *c, struct coord_node *n, uint64_t process, struct now now);
/* A process asks for the stream. How long it has to wait; 0: it gets it now. */
mono_ns clone_arrives(struct tailnet *c, struct coord_node *n, uint64_t process, struct now now);
/* Waits from now on, its request is copied. -ERR_TOO_MANY, -ENOMEM. */
MUST_USE int clone_wait(struct coord_poll *p, struct view request, mono_ns until);
void rivals_free(struct tailnet *c, struct coord_node *n);
void rivals_tick(struct tailnet *c, struct now now);
void map_request_tick(struct tailnet *c, struct now now); /* whoever waited for its turn has it */

#endif
