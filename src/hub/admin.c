/*
 * The administration: HTTP with JSON over a unix socket that only its owner and root can open.
 *	GET /status, /users, /nodes, /keys, /pending
 *	GET /routes, /own-prefixes, /tokens, /policy, /policy/status, /policy/versions, /policy/versions/N
 *	POST /users, /users/ID/{delete,rename,role}, /nodes/{list,show,waiting,approve,reject}, /nodes/ID/{approve,rename,tag,move,expire,delete}, /keys,
 *	/keys/ID/{revoke,delete,move}, /login,
 *	/nodes/ID/routes/{approve,unapprove}, /own-prefixes, /tokens, /tokens/ID/revoke, /policy, /policy/{check,preview,can,pull},
 *	/policy/versions/N/restore
 * A change is durable before it is answered: hold.c sees to it.
 */
#include "base/text/text.h"
#include "hub/admin.h"
#include "os/log/log.h"
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	ADMIN_MEM_MAX = 256 << 20,
	BODY_MAX = 4 * COORD_POLICY_TEXT_MAX,
	EXPIRY_YEARS_MAX = 1000,
	FAULT_MAX = 400
};
#define EXPIRY_MS_MAX ((unix_ms)EXPIRY_YEARS_MAX * 366 * 24 * 3600 * 1000)

int admin_reply(struct admin_call *c, const struct json_type *t, const void *doc)
{
	struct buf b;
	int rc;

	buf_init(&b, ADMIN_ANSWER_MAX);
	rc = json_encode(t, doc, &b);
	if (rc == 0)
		rc = http_reply_send(c->q->reply, 200, "application/json", "", buf_view(&b));
	buf_fini(&b);
	return rc;
}

static int status_of(int rc)
{
	switch (-rc) {
	case ENOENT:
		return 404;
	case EEXIST:
	case ERR_CONFLICT:
	case ERR_CHANGED:
	case ERR_EXPIRED:
		return 409;
	case ERR_BAD_VALUE:
	case ERR_BAD_FORMAT:
	case ERR_TRUNCATED:
	case ERR_TRAILING:
	case ERR_TOO_BIG:
	case ERR_TOO_DEEP:
	case ERR_TOO_MANY:
		return 400;
	case ERR_DENIED:
		return 403;
	case ERR_NO_ADDRESS:
		return 409;
	default:
		return 500;
	}
}

/* rc decides the status; c->error, if set, is what the person reads. */
static int reply_error(struct admin_call *c, int rc)
{
	struct admin_error e = { .error = c->error[0] ? c->error : err_text(rc),
		.line = c->at.line,
		.column = c->at.column,
		.failures = c->failures };
	struct buf b;

	buf_init(&b, 256 * 1024);
	if (json_encode(&admin_error_type, &e, &b) < 0)
		buf_clear(&b);
	rc = http_reply_send(c->q->reply, status_of(rc), "application/json", "", buf_view(&b));
	buf_fini(&b);
	return rc;
}

int admin_say(struct admin_call *c, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->error, sizeof(c->error), fmt, ap);
	va_end(ap);
	return rc;
}

const char *admin_user_name(const struct hub *h, int64_t id)
{
	for (const struct coord_user *u = coord_user_next(h->tailnet, NULL); u;
		u = coord_user_next(h->tailnet, u))
		if (u->id == id)
			return u->name;
	return NULL;
}

static void status_certificate(const struct hub *h, struct admin_status *doc)
{
	struct certs_state s;

	if (!h->certs)
		return;
	certs_state(h->certs, &s);
	doc->cert_expires = s.not_after;
	doc->cert_fault = s.expired      ? "has expired: devices refuse it"
			  : s.wrong_name ? "is not for the name in --url: devices refuse it"
			  : s.soon       ? "expires soon: is its renewal at work?"
					 : NULL;
}

static const char *store_fault(const struct hub *h, char text[static FAULT_MAX])
{
	const char *why = coord_store_refusal(store_sqlite_store(h->store));

	if (!why)
		return NULL;
	snprintf(text, FAULT_MAX, "%.*s", (int)strcspn(why, "\n"), why);
	return text;
}

static int get_status(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct hub *h = c->hub;
	struct coord_stats s;
	char fault[FAULT_MAX];
	char relay[REACH_TEXT_MAX], stun[REACH_TEXT_MAX];
	struct admin_status doc;

	coord_stats(h->tailnet, &s);
	reach_format(&h->reach.relay_at, h->relay_addr.port, relay);
	reach_format(&h->reach.stun_at, h->stun_addr.port, stun);
	doc = (struct admin_status){ .version = WARREN_VERSION,
		.url = h->url_text,
		.base_domain = h->o->base_domain,
		.relay = relay,
		.stun = stun,
		.cert_name = h->pin,
		.tailnet_id = coord_tailnet_id(h->tailnet),
		.uptime_s = (c->now.mono - h->started) / SEC(1),
		.nodes = (int64_t)s.nodes,
		.online = (int64_t)s.online,
		.duplicates = (int64_t)s.duplicates,
		.users = (int64_t)s.users,
		.keys = (int64_t)s.keys,
		.pending = (int64_t)(s.pending + hub_waiting(h)),
		.sessions = (int64_t)h->n_sessions,
		.relay_clients = (int64_t)derprelay_clients(relay_derp(h->relay)) };
	status_certificate(h, &doc);
	doc.store_fault = store_fault(h, fault);
	return admin_reply(c, &admin_status_type, &doc);
}

int admin_ok(struct admin_call *c)
{
	return http_reply_send(c->q->reply, 200, "application/json", "", VIEW_LIT("{}"));
}

/* devices */

int admin_node_doc(struct admin_call *c, const struct coord_node_doc *d, struct admin_node *ret)
{
	const struct tc_hostinfo *hi = d->hostinfo;

	*ret = (struct admin_node){ .id = d->id,
		.home_derp = d->home_derp,
		.name = d->name,
		.hostname = d->hostname,
		.fqdn = arena_printf(c->mem, "%s.%s", d->name, c->hub->o->base_domain),
		.user = admin_user_name(c->hub, d->user),
		.os = hi && hi->os ? hi->os : "",
		.client = hi && hi->ipn_version ? hi->ipn_version : "",
		.ip4 = d->ip4,
		.ip6 = d->ip6,
		.tags = d->tags,
		.endpoints = d->endpoints,
		.machine = d->machine,
		.key = d->key,
		.disco = d->disco,
		.created = d->created,
		.key_expiry = d->key_expiry,
		.online = d->online == JSON_YES,
		.duplicate = coord_node_duplicate(c->hub->tailnet, d->id),
		.last_seen = d->online == JSON_YES ? 0 : d->last_seen,
		.expired = coord_node_expired(d, c->now.wall),
		.ephemeral = d->ephemeral,
		.approved = !d->unapproved,
		.name_pinned = d->name_pinned == JSON_YES };
	ret->tags.present = ret->endpoints.present = true;
	return ret->fqdn ? 0 : -ENOMEM;
}

int admin_reply_node(struct admin_call *c, int64_t id)
{
	const struct coord_node_doc *d = coord_node_find(c->hub->tailnet, id);
	struct admin_node doc;
	int rc = d ? admin_node_doc(c, d, &doc) : -ENOENT;

	return rc < 0 ? rc : admin_reply(c, &admin_node_type, &doc);
}

int admin_no_node(struct admin_call *c)
{
	return admin_say(c, -ENOENT, "no device %lld; \"warren-hub nodes list\" shows all",
		(long long)c->id);
}

int admin_find_user(struct admin_call *c, const char *name, const struct coord_user **ret)
{
	*ret = hub_user(c->hub, name);
	if (*ret)
		return 0;
	if (!name || !*name)
		return admin_say(
			c, -ENOENT, "there is no user; \"warren-hub users create NAME\" makes one");
	return admin_say(c, -ENOENT,
		"no user \"%s\"; \"warren-hub users list\" shows all, \"users create\" makes one",
		name);
}

/* Whom something is given to: named, unless there is only one. */
int admin_find_heir(struct admin_call *c, const char *name, const struct coord_user **ret)
{
	struct coord_stats s;

	coord_stats(c->hub->tailnet, &s);
	if ((!name || !*name) && s.users != 1)
		return admin_say(c, -ERR_BAD_VALUE,
			"name the user that it goes to; \"warren-hub users list\" shows all");
	return admin_find_user(c, name, ret);
}

static int rename_node(struct http_request *q)
{
	struct admin_call *c = q->call;
	const char *name = c->req.name; /* none: what it calls itself */
	int rc = coord_node_rename(c->hub->tailnet, c->id, name, c->now);

	if (rc == -ENOENT)
		return admin_no_node(c);
	if (rc == -EEXIST)
		return admin_say(c, rc, "another device has the name \"%s\"", name);
	if (rc == -ERR_BAD_VALUE)
		return admin_say(c, rc,
			"\"%s\" is not a name for a device: lower-case letters, digits and dashes, at most 63",
			name);
	return rc < 0 ? rc : admin_reply_node(c, c->id);
}

static int tag_node(struct http_request *q)
{
	struct admin_call *c = q->call;
	int rc = coord_node_tag(c->hub->tailnet, c->id, c->req.tags.v, c->req.tags.n, c->now);

	if (rc == -ENOENT)
		return admin_no_node(c);
	if (rc == -ERR_BAD_VALUE && !c->req.tags.n)
		return admin_say(c, rc,
			"name a tag; a device without tags is somebody's: \"warren-hub nodes move NODE USER\"");
	if (rc == -ERR_BAD_VALUE)
		return admin_say(
			c, rc, "a tag is written tag:NAME, with letters, digits and dashes");
	return rc < 0 ? rc : admin_reply_node(c, c->id);
}

static int move_node(struct http_request *q)
{
	struct admin_call *c = q->call;
	const struct coord_user *u;
	int rc = admin_find_heir(c, c->req.user, &u);

	if (rc < 0)
		return rc;
	rc = coord_node_move(c->hub->tailnet, c->id, u->id, c->now);
	return rc == -ENOENT ? admin_no_node(c) : rc < 0 ? rc : admin_reply_node(c, c->id);
}

static int expire_node(struct http_request *q)
{
	struct admin_call *c = q->call;
	int64_t in = c->req.expiry_ms; /* negative: never */
	int rc;

	if (in > EXPIRY_MS_MAX)
		return admin_say(c, -ERR_BAD_VALUE, "a time to expire is at most %d years",
			EXPIRY_YEARS_MAX);
	rc = coord_node_expire_at(c->hub->tailnet, c->id, in < 0 ? 0 : c->now.wall + in, c->now);
	return rc == -ENOENT ? admin_no_node(c) : rc < 0 ? rc : admin_reply_node(c, c->id);
}

static int delete_node(struct http_request *q)
{
	struct admin_call *c = q->call;
	int rc = coord_node_delete(c->hub->tailnet, c->id, c->now);

	return rc == -ENOENT ? admin_no_node(c) : rc < 0 ? rc : admin_ok(c);
}

/* keys */

static void key_doc(const struct admin_call *c, const struct coord_key *k, struct admin_key *ret)
{
	*ret = (struct admin_key){ .id = k->id,
		.used = k->used,
		.hint = k->hint,
		.user = admin_user_name(c->hub, k->user),
		.reusable = k->reusable,
		.ephemeral = k->ephemeral,
		.preapproved = k->preapproved,
		.tags = k->tags,
		.created = k->created,
		.expires = k->expires };
	ret->tags.present = true;
	ret->state = k->revoked                                ? "revoked"
		     : !k->reusable && k->used                 ? "used"
		     : k->expires && k->expires <= c->now.wall ? "expired"
							       : "valid";
}

static int get_keys(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct coord_stats s;
	struct admin_key *v;
	struct json_list list;
	size_t n = 0;

	coord_stats(c->hub->tailnet, &s);
	v = arena_array(c->mem, s.keys, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (const struct coord_key *k = coord_key_next(c->hub->tailnet, NULL); k;
		k = coord_key_next(c->hub->tailnet, k))
		key_doc(c, k, &v[n++]);
	list = json_list_of(v, n);
	return admin_reply(c, &admin_key_list, &list);
}

int admin_expires(struct admin_call *c, unix_ms *ret)
{
	if (c->req.expiry_ms < 0 || c->req.expiry_ms > EXPIRY_MS_MAX)
		return admin_say(c, -ERR_BAD_VALUE,
			"a time to expire is 0 (never) or at most %d years", EXPIRY_YEARS_MAX);
	*ret = c->req.expiry_ms ? c->now.wall + c->req.expiry_ms : 0;
	return 0;
}

static int create_key(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct coord_key_spec spec = { .reusable = c->req.reusable,
		.ephemeral = c->req.ephemeral,
		.preapproved = c->req.preapproved,
		.tags = c->req.tags.v,
		.n_tags = c->req.tags.n };
	char text[COORD_SECRET_TEXT_MAX];
	const struct coord_user *u;
	const struct coord_key *k;
	struct admin_key doc;
	int rc = admin_find_user(c, c->req.user, &u);

	if (rc == 0)
		rc = admin_expires(c, &spec.expires);
	if (rc < 0)
		return rc;
	spec.user = spec.n_tags ? 0 : u->id;
	rc = coord_key_create(c->hub->tailnet, &spec, c->now, text, &k);
	if (rc == -ERR_BAD_VALUE)
		return admin_say(
			c, rc, "a tag is written tag:NAME, with letters, digits and dashes");
	if (rc < 0)
		return rc;
	key_doc(c, k, &doc);
	doc.key = text;
	rc = admin_reply(c, &admin_key_type, &doc);
	key_wipe(text, sizeof(text));
	return rc;
}

static int key_changed(struct admin_call *c, int rc)
{
	if (rc == -ENOENT)
		return admin_say(
			c, rc, "no key %lld; \"warren-hub keys list\" shows all", (long long)c->id);
	return rc < 0 ? rc : admin_ok(c);
}

static int revoke_key(struct http_request *q)
{
	struct admin_call *c = q->call;

	return key_changed(c, coord_key_revoke(c->hub->tailnet, c->id));
}

static int delete_key(struct http_request *q)
{
	struct admin_call *c = q->call;

	return key_changed(c, coord_key_delete(c->hub->tailnet, c->id));
}

static int move_key(struct http_request *q)
{
	struct admin_call *c = q->call;
	const struct coord_user *u;
	int rc = admin_find_heir(c, c->req.user, &u);

	if (rc < 0)
		return rc;
	rc = coord_key_move(c->hub->tailnet, c->id, u->id);
	if (rc == -ERR_CONFLICT)
		return admin_say(c, rc,
			"this key gives tags: devices that join with it belong to no person");
	return key_changed(c, rc);
}

static int make_login(struct http_request *q)
{
	struct admin_call *c = q->call;
	char token[HUB_TOKEN_TEXT];
	struct admin_link doc;

	login_link_create(c->hub, c->req.next, token);
	doc.url = arena_printf(c->mem, "%s/login/%s", c->hub->url_text, token);
	return doc.url ? admin_reply(c, &admin_link_type, &doc) : -ENOMEM;
}

/* Any of it is for root and the user of the hub. */
enum { RIGHT = 1 };
/* NOTED: in the log; a CHANGE is that, too. POST without either only looks: its question has a body. */
enum { NOTED = HTTP_ROUTE_OWN, CHANGE = NOTED | HTTP_ROUTE_CHANGES };

static const struct http_route routes[] = {
	{ "GET", "/status", RIGHT, .fn = get_status },
	{ "GET", "/limits", RIGHT, .fn = admin_limits },
	{ "GET", "/users", RIGHT, .fn = admin_users },
	{ "POST", "/users", RIGHT, .fn = admin_user_create, .flags = CHANGE },
	{ "POST", "/users/{id:int}/delete", RIGHT, .fn = admin_user_delete, .flags = CHANGE },
	{ "POST", "/users/{id:int}/rename", RIGHT, .fn = admin_user_rename, .flags = CHANGE },
	{ "POST", "/users/{id:int}/role", RIGHT, .fn = admin_user_role, .flags = CHANGE },
	{ "GET", "/nodes", RIGHT, .fn = admin_nodes },
	{ "POST", "/nodes/list", RIGHT, .fn = admin_nodes },
	{ "POST", "/nodes/show", RIGHT, .fn = admin_node_show },
	{ "GET", "/pending", RIGHT, .fn = admin_pending },
	{ "POST", "/nodes/waiting", RIGHT, .fn = admin_waiting },
	{ "POST", "/nodes/approve", RIGHT, .fn = admin_approve, .flags = CHANGE },
	{ "POST", "/nodes/reject", RIGHT, .fn = admin_reject, .flags = CHANGE },
	{ "POST", "/nodes/{id:int}/approve", RIGHT, .fn = admin_approve_node, .flags = CHANGE },
	{ "POST", "/nodes/{id:int}/rename", RIGHT, .fn = rename_node, .flags = CHANGE },
	{ "POST", "/nodes/{id:int}/tag", RIGHT, .fn = tag_node, .flags = CHANGE },
	{ "POST", "/nodes/{id:int}/move", RIGHT, .fn = move_node, .flags = CHANGE },
	{ "POST", "/nodes/{id:int}/expire", RIGHT, .fn = expire_node, .flags = CHANGE },
	{ "POST", "/nodes/{id:int}/delete", RIGHT, .fn = delete_node, .flags = CHANGE },
	{ "GET", "/keys", RIGHT, .fn = get_keys },
	{ "POST", "/keys", RIGHT, .fn = create_key, .flags = CHANGE },
	{ "POST", "/keys/{id:int}/revoke", RIGHT, .fn = revoke_key, .flags = CHANGE },
	{ "POST", "/keys/{id:int}/delete", RIGHT, .fn = delete_key, .flags = CHANGE },
	{ "POST", "/keys/{id:int}/move", RIGHT, .fn = move_key, .flags = CHANGE },
	{ "POST", "/login", RIGHT, .fn = make_login, .flags = NOTED },
	{ "GET", "/tokens", RIGHT, .fn = admin_tokens },
	{ "POST", "/tokens", RIGHT, .fn = admin_token_create, .flags = CHANGE },
	{ "POST", "/tokens/{id:int}/revoke", RIGHT, .fn = admin_token_revoke, .flags = CHANGE },
	{ "POST", "/tokens/{id:int}/delete", RIGHT, .fn = admin_token_delete, .flags = CHANGE },
	{ "GET", "/routes", RIGHT, .fn = admin_routes },
	{ "POST", "/nodes/{id:int}/routes/approve", RIGHT, .fn = admin_route_approve,
		.flags = CHANGE },
	{ "POST", "/nodes/{id:int}/routes/unapprove", RIGHT, .fn = admin_route_unapprove,
		.flags = CHANGE },
	{ "GET", "/own-prefixes", RIGHT, .fn = admin_own_prefixes },
	{ "POST", "/own-prefixes", RIGHT, .fn = admin_own_prefixes_set, .flags = CHANGE },
	{ "GET", "/policy", RIGHT, .fn = admin_policy },
	{ "POST", "/policy", RIGHT, .fn = admin_policy_set, .flags = CHANGE },
	{ "GET", "/policy/status", RIGHT, .fn = admin_policy_status },
	{ "GET", "/policy/versions", RIGHT, .fn = admin_policy_versions },
	{ "GET", "/policy/versions/{id:int}", RIGHT, .fn = admin_policy_version },
	{ "POST", "/policy/versions/{id:int}/restore", RIGHT, .fn = admin_policy_restore,
		.flags = CHANGE },
	{ "POST", "/policy/check", RIGHT, .fn = admin_policy_check },
	{ "POST", "/policy/preview", RIGHT, .fn = admin_policy_preview },
	{ "POST", "/policy/can", RIGHT, .fn = admin_policy_can },
	{ "POST", "/policy/pull", RIGHT, .fn = admin_policy_pull, .flags = NOTED },
};

static void identify(struct http_request *q)
{
	if (!q->who.has_uid || (q->who.uid != 0 && q->who.uid != geteuid()))
		return;
	q->who.kind = PRINCIPAL_ADMIN;
	q->who.rights = RIGHT;
}

/* " name=printer user=ana": what a request says beside its path; nothing that is secret or long. */
static const char *details_of(const struct admin_request *r, char *out, size_t size)
{
	const struct {
		const char *name, *value;
	} fields[] = { { "name", r->name }, { "code", r->code }, { "user", r->user },
		{ "role", r->role }, { "moveTo", r->move_to } };
	size_t at = 0;

	out[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(fields) && at < size; i++)
		if (fields[i].value && *fields[i].value)
			at += (size_t)snprintf(
				out + at, size - at, " %s=%s", fields[i].name, fields[i].value);
	for (size_t i = 0; i < r->tags.n && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s",
			i ? "," : " tags=", *JSON_AT(r->tags, const char *, i));
	return out;
}

static int run(struct admin_call *c)
{
	struct http_request *q = c->q;
	char details[512];
	int rc = q->route->fn(q);

	if (q->route->flags & NOTED)
		log_info("admin", rc < 0 ? "a change was refused" : "a change was asked for",
			"by=%s request=%.*s%s%s%s",
			c->req.author && *c->req.author ? c->req.author : "unknown",
			(int)q->path.len, (const char *)q->path.p,
			details_of(&c->req, details, sizeof(details)), rc < 0 ? " why=" : "",
			rc < 0 ? c->error[0] ? c->error : err_text(rc) : "");
	return rc;
}

static int around(struct http_request *q)
{
	struct hub *h = q->ctx;
	struct admin_call c = { .q = q,
		.hub = h,
		.mem = &q->mem,
		.id = http_request_int(q, "id"),
		.now = loop_now(h->loop) };
	struct err_at at;
	int rc = 0;

	h->n.admin_requests++;
	q->call = &c;
	if (q->body.len)
		rc = json_decode(&admin_request_type, q->body.p, q->body.len, &c.req, c.mem, &at);
	if (rc == -ERR_TOO_BIG)
		rc = admin_say(&c, -ERR_BAD_VALUE,
			"this is more than a request may hold; a policy has at most %d bytes",
			COORD_POLICY_TEXT_MAX);
	else if (rc < 0)
		return http_reply_refuse_text(q->reply, 400, "malformed request\n");
	else
		rc = run(&c);
	return rc < 0 && !q->reply->answered ? reply_error(&c, rc) : rc;
}

static int refuse(struct http_request *q, enum router_refusal why, const char *detail, int rc)
{
	struct hub *h = q->ctx;

	if (!principal_may(&q->who, RIGHT))
		return http_reply_refuse_text(
			q->reply, 403, "only root and the user of the hub may do this\n");
	if (why == ROUTER_NO_CHANGE)
		return hold_refuse(q, HUB_ADMIN, detail);
	h->n.admin_requests += why != ROUTER_FAILED;
	return 0;
}

static const struct router_ops ops = {
	.identify = identify, .around = around, .refuse = refuse, .gate = &hold_admin
};
const struct router admin_table = { ROUTER_TABLE(routes), .ops = &ops, .mem_max = ADMIN_MEM_MAX,
	.body_max = BODY_MAX };
