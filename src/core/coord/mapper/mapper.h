/*
 * core/coord/mapper: what devices hear: their map requests, and the messages of their long polls, made of pieces that all readers
 * share as far as they are told the same.
 */
#ifndef WARREN_CORE_COORD_MAPPER_MAPPER_H
#define WARREN_CORE_COORD_MAPPER_MAPPER_H

#include "core/coord/tailnet/types.h"

struct map_session;
/*
 * POST /machine/map. 0 and *ret: a long poll began, or one map was asked for, and the body is pulled with map_session_fill; 1:
 * answered through on_answer.
 */
MUST_USE int coord_map(struct tailnet *c, const struct machine_pub *machine, struct view body,
	void *owner, struct now now, struct map_session **ret);
/* Appends some body bytes, if there are any now. */
void map_session_fill(struct map_session *p, struct buf *out);
void map_session_close(struct map_session *p, struct now now);
/* Two devices run with its identity: they take the stream from each other. */
bool coord_node_duplicate(const struct tailnet *c, int64_t id);
/* For the folders above. */
MUST_USE int mapper_new(struct tailnet *c);
void mapper_free(struct tailnet *c);
void mapper_tick(struct tailnet *c, struct now now);
mono_ns mapper_deadline(const struct tailnet *c);
/* The end of a turn: lets go what waited for the store, and begins the streams that are new. */
void mapper_turn_end(struct tailnet *c, struct now now);
/* What the policy engine says has changed, and what is noted with devices, is noted with their readers. */
void map_news_take(struct tailnet *c, struct now now);
/* What is noted with devices only: streams that end have ended then. */
void map_news_settle(struct tailnet *c, struct now now);
/* The plan that runs now is replaced by next. */
MUST_USE int map_news_install(
	struct tailnet *c, struct policy_plan *next, bool open, struct now now);
/* The settings of DNS are other ones: who is told anything else by them hears of it. */
void mapper_dns_changed(struct tailnet *c, struct now now);
/* Its streams begin anew, with a whole map. */
void mapper_begin_anew(struct coord_node *n);
/* It leaves: it and all others are told. */
void mapper_remove_node(struct tailnet *c, struct coord_node *n, struct now now);
/* The same, of one that is in the store no more. */
void mapper_drop_node(struct tailnet *c, struct coord_node *n, struct now now);
/* It is no more, and nobody is told. */
void mapper_forget_node(struct tailnet *c, struct coord_node *n);
struct tc_user map_node_profile(const struct tailnet *c, int64_t user);

#endif
