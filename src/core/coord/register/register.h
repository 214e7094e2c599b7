/* core/coord/register: how devices are let in: by an auth key, by a login that somebody approves, and as who they were before. */
#ifndef WARREN_CORE_COORD_REGISTER_REGISTER_H
#define WARREN_CORE_COORD_REGISTER_REGISTER_H

#include "core/coord/tailnet/types.h"

/* POST /machine/register. Answered through on_answer, sooner or later; owner is opaque. */
void coord_register(struct tailnet *c, const struct machine_pub *machine, struct view body,
	void *owner, struct now now);
/* The request's stream is gone: no answer any more. */
void coord_register_cancel(struct tailnet *c, void *owner);
/* A login that waits: who asks? */
struct coord_pending_view {
	const char *code; /* eight letters, a dash in their middle */
	const char *hostname, *os;
	struct json_list tags; /* const char *: what it wants to be; approval grants it */
	struct ipport from;
	unix_ms created;
};

/* The whole code, in any case, with or without the dash. */
bool coord_pending_find(const struct tailnet *c, const char *code, struct coord_pending_view *ret);
/* How many codes begin like this? ret is one of them, if any. */
size_t coord_pending_match(
	const struct tailnet *c, const char *beginning, struct coord_pending_view *ret);
bool coord_pending_next(const struct tailnet *c, const char *after, struct coord_pending_view *ret);
/* The login of a device that had this code before it asked for other things. */
bool coord_pending_successor(
	const struct tailnet *c, const char *code, struct coord_pending_view *ret);
/* All that an approval gives, for people to read, and its digest. In mem. */
struct coord_grant_line {
	const char *label, *value;
};

struct coord_grant {
	struct json_list lines; /* struct coord_grant_line */
	char digest[2 * COORD_DIGEST_LEN + 1];
};

/* As the device of this user. -ENOENT; -ERR_BAD_VALUE: no such user. */
MUST_USE int coord_pending_grant(struct tailnet *c, const char *code, int64_t user, struct now now,
	struct arena *mem, struct coord_grant *ret);
MUST_USE int coord_node_grant(struct tailnet *c, int64_t id, struct arena *mem,
	struct coord_grant *ret); /* of a device that waits. -ENOENT */
/*
 * *ret is the number of the device. digest: as it was shown. -ERR_CHANGED: it would give something else now; -ERR_EXPIRED: the device
 * was in meanwhile, and its key has expired.
 */
MUST_USE int coord_pending_approve(struct tailnet *c, const char *code, int64_t user,
	const char *digest, struct now now, int64_t *ret);
MUST_USE int coord_pending_reject(
	struct tailnet *c, const char *code); /* who waits is told. -ENOENT */
/* digest: of coord_node_grant, as it was shown. -ERR_CHANGED: it is another one now. */
MUST_USE int coord_node_approve(struct tailnet *c, int64_t id, const char *digest, struct now now);
/* For the folder above. */
MUST_USE int registrar_new(struct tailnet *c);
void registrar_free(struct tailnet *c);
void registrar_tick(struct tailnet *c, struct now now);
mono_ns registrar_deadline(const struct tailnet *c);
/* Before the commit of a turn: logins that a ledger has pushed out are answered. */
void registrar_sweep(struct tailnet *c);
/* Gives the answers whose changes are durable; all of them as refusals, if rc is negative. */
void registrar_answer(struct tailnet *c, int rc);

#endif
