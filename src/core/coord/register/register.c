/*
 * POST /machine/register, in the order in which the questions are asked:
 *   logout? -> known key? -> waiting login (Followup)? -> auth key? -> a new login that somebody has to approve
 */
#include "core/coord/register/internal.h"
#include "base/text/text.h"

#include <errno.h>

enum { REQUEST_MEM_MAX = 4 << 20 };

static void answer_auth_url(struct tailnet *c, void *owner, const struct pending *p)
{
	char url[1024];
	struct tc_register_response r = { .auth_url = url };

	snprintf(url, sizeof(url), "%s/register/%s", c->cfg.url, p->code);
	answer_later(c, owner, 200, &tc_register_response_type, &r);
}

static bool has_all(const struct json_list *have, const struct json_list *want)
{
	for (size_t i = 0; i < want->n; i++) {
		size_t k = 0;

		while (k < have->n && strcmp(*JSON_AT(*have, const char *, k),
					      *JSON_AT(*want, const char *, i)) != 0)
			k++;
		if (k == have->n)
			return false;
	}
	return true;
}

/* Those of the key; or, of a person's key, those that the device asks for and the person may give. NULL: not permitted. */
static const struct json_list *tags_by_key(struct tailnet *c, const struct authkey *k,
	const struct machine_pub *m, const struct tc_register_request *req, unix_ms wall)
{
	const struct json_list *wanted = wanted_tags(req);

	if (has_all(&k->doc.tags, wanted))
		return &k->doc.tags;
	if (c->open || k->doc.tags.n || !k->doc.user)
		return NULL;
	return tags_may_have(
		       c, wanted, k->doc.user, relogin_node(c, m, req, k->doc.user, true, wall))
		       ? wanted
		       : NULL;
}

static const char *text_of(int rc)
{
	switch (-rc) {
	case ERR_CONFLICT:
		return "this node key belongs to another device";
	case ERR_EXPIRED:
		return "the key of this device has expired; it has to ask with a fresh one";
	case ERR_DENIED:
		return "this device offers routes into networks of the organisation; an administrator has to approve them first";
	case ERR_NO_ADDRESS:
		return "all addresses of the pool that the policy has for this device (ipPool) are taken; an administrator has to make it larger";
	default:
		return err_text(rc);
	}
}

static const char *key_fault(const struct authkey *k, unix_ms wall)
{
	if (!k)
		return "invalid auth key";
	if (k->doc.revoked)
		return "this auth key was revoked";
	if (k->doc.expires && k->doc.expires <= wall)
		return "this auth key has expired";
	if (!k->doc.reusable && k->doc.used)
		return "this auth key was used already; it works once";
	return NULL;
}

static void with_auth_key(struct tailnet *c, const struct machine_pub *m,
	const struct tc_register_request *req, void *owner, struct now now)
{
	const struct json_list *tags;
	const char *fault;
	struct admission how;
	struct coord_node *n;
	struct authkey *k;
	int rc = authkey_by_text(c, req->auth->auth_key, now, &k);

	if (rc == -EAGAIN && c->cfg.on_later) {
		c->cfg.on_later(owner, (unsigned)(COORD_BCRYPT_EVERY / SEC(1)),
			VIEW_LIT("too many keys of another hub are tried; come again\n"));
		return;
	}
	if (rc < 0) {
		answers_text(c, owner, rc == -EAGAIN ? 503 : 500,
			rc == -EAGAIN ? "too many keys of another hub are tried; come again\n"
				      : "out of memory\n");
		return;
	}
	fault = key_fault(k, now.wall);
	tags = fault ? NULL : tags_by_key(c, k, m, req, now.wall);
	if (!fault && !tags)
		fault = "the device asks for tags that this auth key does not give";
	if (fault) {
		answer_error(c, owner, req, fault);
		return;
	}
	n = relogin_node(c, m, req, k->doc.user, tags->n > 0, now.wall);
	if (n && pace_refuses(c, n, owner, now))
		return;
	how = (struct admission){ .user = k->doc.user,
		.tags = tags,
		.ephemeral = k->doc.ephemeral || req->ephemeral,
		.approved = k->doc.preapproved,
		.key = &k->doc };
	rc = admit(c, m, req, &how, now, &n);
	if (rc == 0) {
		rc = authkey_use(c, k);
		if (rc < 0)
			tailnet_fail(c,
				rc); /* the device would be in, and the key good for another one */
	}
	if (rc < 0)
		answer_error(c, owner, req, text_of(rc));
	else
		answer_success(c, owner, n);
}

static void log_out(struct tailnet *c, struct coord_node *n, void *owner, struct now now)
{
	struct coord_node_doc doc = n->doc;

	if (doc.ephemeral) {
		mapper_remove_node(c, n, now);
	} else if (!n->expired) {
		pace_pay(c, n, COORD_TOLD_MEAN, now.mono);
		doc.key_expiry = now.wall;
		doc.key_expired = true;
		if (policy_sync_update(c, n, &doc, true, true, now) < 0) {
			answers_text(c, owner, 500, "out of memory\n");
			return;
		}
	}
	answer_expired(c, owner);
}

/* A device may want its key to expire sooner than it would, never later. */
static void sooner_expiry(struct tailnet *c, struct coord_node *n,
	const struct tc_register_request *req, void *owner, struct now now)
{
	struct coord_node_doc doc = n->doc;
	bool sooner = req->expiry && (!doc.key_expiry || doc.key_expiry > req->expiry);

	if (sooner && pace_refuses(c, n, owner, now))
		return;
	doc.key_expiry = req->expiry;
	if (sooner && policy_sync_update(c, n, &doc, true, true, now) < 0)
		answer_error(c, owner, req, "out of memory");
	else
		answer_success(c, owner, n);
}

/*
 * The key is known: nothing changes. Of one that has expired, or was the device's before, that is said whatever else the request
 * holds: an auth key, too, admits with a fresh key only.
 */
static void known_key(struct tailnet *c, const struct machine_pub *m,
	const struct tc_register_request *req, struct coord_node *n, void *owner, struct now now)
{
	bool is_former = memcmp(n->doc.key.b, req->node_key.b, KEY_LEN) != 0;

	if (memcmp(n->doc.machine.b, m->b, KEY_LEN) != 0) {
		answer_error(c, owner, req, "this node key belongs to another device");
	} else if (is_former || n->expired) {
		c->stats.expired_asks++;
		answer_expired(c, owner);
	} else {
		sooner_expiry(c, n, req, owner, now);
	}
}

/* The login that it follows up. NULL: none, it is over, or it is for something else. */
static struct pending *followed_up(
	struct tailnet *c, const struct machine_pub *m, const struct tc_register_request *req)
{
	const char *code = req->followup ? strrchr(req->followup, '/') : NULL;
	struct pending *p = code ? pending_by_code(c, code + 1) : NULL;

	return p && p == pending_by_asker(c, m, &req->node_key) && pending_is_for(c, p, req) ? p
											     : NULL;
}

/* A login that somebody has to approve. Takes mem if it gives one. True: it was taken. */
static bool new_login(struct tailnet *c, const struct machine_pub *m,
	const struct tc_register_request *req, struct arena mem, void *owner, struct now now)
{
	struct ipport from = c->cfg.from ? c->cfg.from(owner) : (struct ipport){ 0 };
	struct pending *p = NULL;

	if (mem.used > COORD_PENDING_REQUEST_MAX) {
		answer_error(c, owner, req,
			"the device says too much of itself to wait for approval; fewer routes, or an auth key, help");
		return false;
	}
	p = pending_ask(c, m, req, mem, from, now);
	if (p)
		answer_auth_url(c, owner, p);
	else
		answer_error(c, owner, req, "too many devices wait to be let in; try again");
	return p != NULL;
}

/* Nobody knows its key. True: mem was taken. */
static bool unknown_key(struct tailnet *c, const struct machine_pub *m,
	const struct tc_register_request *req, struct arena mem, void *owner, struct now now)
{
	struct pending *waits;
	struct err_at at;

	if (req->hostinfo && settings_check(req->hostinfo, &at) < 0) {
		answer_error(c, owner, req, at.text);
		return false;
	}
	waits = followed_up(c, m, req);
	if (waits)
		waits->waiter = owner;
	else if (req->auth && req->auth->auth_key && *req->auth->auth_key)
		with_auth_key(c, m, req, owner, now);
	else
		return new_login(c, m, req, mem, owner, now);
	return false;
}

/* 0, or why no question is asked at all; that is answered then. */
static int read_request(struct tailnet *c, struct view body, void *owner, struct arena *mem,
	struct tc_register_request *ret)
{
	const char *text = arena_strndup(mem, body.p, body.len); /* what waits keeps it */
	struct err_at at;
	int rc = text ? json_decode(&tc_register_request_type, text, body.len, ret, mem, &at)
		      : -ENOMEM;

	if (rc == 0 && ret->hostinfo)
		rc = clean_hostinfo(c, ret->hostinfo, mem);
	if (rc == -ERR_TOO_BIG || rc == -ERR_TOO_MANY) { /* said where a person sees it */
		answer_error(c, owner, &(struct tc_register_request){ 0 }, at.text);
	} else if (rc < 0) {
		answers_text(c, owner, 400, "malformed register request\n");
	} else if (ret->version < COORD_CAP_MIN) {
		rc = -ERR_BAD_VALUE;
		answers_text(c, owner, 400,
			"this client is too old for this server; please update it\n");
	} else if (key_is_zero(ret->node_key.b)) {
		rc = -ERR_BAD_VALUE;
		answer_error(c, owner, ret, "the node key is missing");
	}
	return rc;
}

/* A device that starts again says what is known. */
static bool needs_no_change(const struct coord_node *n, const struct machine_pub *m,
	const struct tc_register_request *req, unix_ms wall)
{
	if (!n || memcmp(n->doc.machine.b, m->b, KEY_LEN) != 0 || coord_node_is_expired(n, wall))
		return false;
	return !req->expiry || (n->doc.key_expiry && n->doc.key_expiry <= req->expiry);
}

void coord_register(struct tailnet *c, const struct machine_pub *machine, struct view body,
	void *owner, struct now now)
{
	const char *refusal = coord_store_refusal(c->cfg.store);
	struct tc_register_request req;
	struct arena mem;
	struct coord_node *n;
	bool logout, taken = false;

	arena_init(&mem, REQUEST_MEM_MAX);
	if (read_request(c, body, owner, &mem, &req) < 0 ||
		shed(c, &c->registrar->shed, owner, now)) {
		arena_fini(&mem);
		return;
	}
	n = policy_sync_node_that_asks(c, &req.node_key, now);
	logout = req.expiry && req.expiry <= now.wall;
	if (refusal && !needs_no_change(n, machine, &req, now.wall)) {
		answers_text(c, owner, 503, refusal);
	} else if (logout && !n) { /* told twice: whatever else it holds, nobody joins by it */
		answer_expired(c, owner);
	} else if (logout && memcmp(n->doc.machine.b, machine->b, KEY_LEN) == 0) {
		log_out(c, n, owner, now);
	} else {
		n = n ? n : coord_node_of_former(c, &req.node_key);
		if (n)
			known_key(c, machine, &req, n, owner, now);
		else
			taken = unknown_key(c, machine, &req, mem, owner, now);
	}
	if (!taken)
		arena_fini(&mem);
}

void coord_register_cancel(struct tailnet *c, void *owner)
{
	list_for_each(l, &c->registrar->pendings) {
		struct pending *p = container_of(l, struct pending, link);

		if (p->waiter == owner)
			p->waiter = NULL;
	}
	answers_cancel(c, owner);
}
