/* Logins that waited are let in or turned away; so are devices that are in and wait. */
#include "core/coord/register/internal.h"

#include <errno.h>

enum { GRANT_MEM_MAX = 4 << 20 };

int coord_pending_reject(struct tailnet *c, const char *code)
{
	struct pending *p = pending_by_code(c, code);

	if (!p)
		return -ENOENT;
	pending_end(c, p, "an administrator did not let this device in");
	return 0;
}

static int is_what_was_shown(struct tailnet *c, const struct pending *p, int64_t user,
	const char *digest, struct now now)
{
	struct coord_grant g;
	struct arena mem;
	int rc;

	arena_init(&mem, GRANT_MEM_MAX);
	rc = grant_of_login(c, p, user, now, &mem, &g);
	if (rc == 0 && strcmp(g.digest, digest) != 0)
		rc = -ERR_CHANGED;
	arena_fini(&mem);
	return rc;
}

int coord_pending_approve(struct tailnet *c, const char *code, int64_t user, const char *digest,
	struct now now, int64_t *ret)
{
	struct pending *p = pending_by_code(c, code);
	struct admission how = { .user = user, .approved = true };
	struct coord_node *n;
	int rc;

	if (!p)
		return -ENOENT;
	how.tags = wanted_tags(&p->req);
	how.ephemeral = p->req.ephemeral;
	rc = is_what_was_shown(c, p, user, digest, now);
	if (rc < 0)
		return rc;
	if (!tags_may_have(c, how.tags, user,
		    relogin_node(c, &p->asker.machine, &p->req, user, true, now.wall)))
		return -ERR_DENIED;
	rc = admit(c, &p->asker.machine, &p->req, &how, now, &n);
	if (rc == -ERR_EXPIRED) { /* meanwhile it was in, by another way */
		if (p->waiter)
			answer_expired(c, p->waiter);
		pending_free(c, p);
	}
	if (rc < 0)
		return rc;
	if (p->waiter)
		answer_success(c, p->waiter, n);
	pending_free(c, p);
	*ret = n->doc.id;
	return 0;
}

/* Its streams begin anew, now that there are others to be told of. */

/* Its streams begin anew, now that there are others to be told of. */
int coord_node_approve(struct tailnet *c, int64_t id, const char *digest, struct now now)
{
	struct coord_node *n = coord_node_by_id(c, id);
	struct coord_node_doc doc;
	struct coord_grant g;
	struct arena mem;
	int rc;

	if (!n)
		return -ENOENT;
	if (!n->doc.unapproved)
		return 0;
	arena_init(&mem, GRANT_MEM_MAX);
	rc = grant_of_node(c, n, &mem, &g);
	if (rc == 0 && strcmp(g.digest, digest) != 0)
		rc = -ERR_CHANGED;
	arena_fini(&mem);
	if (rc < 0)
		return rc;
	doc = n->doc;
	doc.unapproved = false;
	mapper_begin_anew(n);
	rc = policy_sync_update(c, n, &doc, true, true, now);
	if (rc == 0)
		tailnet_tell(c, COORD_DEVICE_APPROVED, n);
	return rc;
}
