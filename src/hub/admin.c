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
		rc = httpd_answer(c->conn, 200, "application/json", "", buf_view(&b));
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
	rc = httpd_answer(c->conn, status_of(rc), "application/json", "", buf_view(&b));
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

static int get_status(struct admin_call *c)
{
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
	return httpd_answer(c->conn, 200, "application/json", "", VIEW_LIT("{}"));
}

/* devices */

int admin_node_doc(struct admin_call *c, const struct coord_node_doc *d, struct admin_node *ret)
{
	const struct tc_hostinfo *hi = d->hostinfo;

	*ret = (struct admin_node){ .id = d->id,
		.home_derp = d->home_derp,
		.name = d->name,
		.hostname = d->hostname,
		.fqdn = arena_printf(&c->mem, "%s.%s", d->name, c->hub->o->base_domain),
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

static int rename_node(struct admin_call *c)
{
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

static int tag_node(struct admin_call *c)
{
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

static int move_node(struct admin_call *c)
{
	const struct coord_user *u;
	int rc = admin_find_heir(c, c->req.user, &u);

	if (rc < 0)
		return rc;
	rc = coord_node_move(c->hub->tailnet, c->id, u->id, c->now);
	return rc == -ENOENT ? admin_no_node(c) : rc < 0 ? rc : admin_reply_node(c, c->id);
}

static int expire_node(struct admin_call *c)
{
	int64_t in = c->req.expiry_ms; /* negative: never */
	int rc;

	if (in > EXPIRY_MS_MAX)
		return admin_say(c, -ERR_BAD_VALUE, "a time to expire is at most %d years",
			EXPIRY_YEARS_MAX);
	rc = coord_node_expire_at(c->hub->tailnet, c->id, in < 0 ? 0 : c->now.wall + in, c->now);
	return rc == -ENOENT ? admin_no_node(c) : rc < 0 ? rc : admin_reply_node(c, c->id);
}

static int delete_node(struct admin_call *c)
{
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

static int get_keys(struct admin_call *c)
{
	struct coord_stats s;
	struct admin_key *v;
	struct json_list list;
	size_t n = 0;

	coord_stats(c->hub->tailnet, &s);
	v = arena_array(&c->mem, s.keys, sizeof(*v));
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

static int create_key(struct admin_call *c)
{
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

static int revoke_key(struct admin_call *c)
{
	return key_changed(c, coord_key_revoke(c->hub->tailnet, c->id));
}

static int delete_key(struct admin_call *c)
{
	return key_changed(c, coord_key_delete(c->hub->tailnet, c->id));
}

static int move_key(struct admin_call *c)
{
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

static int make_login(struct admin_call *c)
{
	char token[HUB_TOKEN_TEXT];
	struct admin_link doc;

	login_link_create(c->hub, c->req.next, token);
	doc.url = arena_printf(&c->mem, "%s/login/%s", c->hub->url_text, token);
	return doc.url ? admin_reply(c, &admin_link_type, &doc) : -ENOMEM;
}

/* A star is a number, which goes into c->id. */
static const struct route {
	const char *method, *path;
	int (*fn)(struct admin_call *c);
} routes[] = {
	{ "GET", "/status", get_status },
	{ "GET", "/limits", admin_limits },
	{ "GET", "/users", admin_users },
	{ "POST", "/users", admin_user_create },
	{ "POST", "/users/*/delete", admin_user_delete },
	{ "POST", "/users/*/rename", admin_user_rename },
	{ "POST", "/users/*/role", admin_user_role },
	{ "GET", "/nodes", admin_nodes },
	{ "POST", "/nodes/list", admin_nodes },
	{ "POST", "/nodes/show", admin_node_show },
	{ "GET", "/pending", admin_pending },
	{ "POST", "/nodes/waiting", admin_waiting },
	{ "POST", "/nodes/approve", admin_approve },
	{ "POST", "/nodes/reject", admin_reject },
	{ "POST", "/nodes/*/approve", admin_approve_node },
	{ "POST", "/nodes/*/rename", rename_node },
	{ "POST", "/nodes/*/tag", tag_node },
	{ "POST", "/nodes/*/move", move_node },
	{ "POST", "/nodes/*/expire", expire_node },
	{ "POST", "/nodes/*/delete", delete_node },
	{ "GET", "/keys", get_keys },
	{ "POST", "/keys", create_key },
	{ "POST", "/keys/*/revoke", revoke_key },
	{ "POST", "/keys/*/delete", delete_key },
	{ "POST", "/keys/*/move", move_key },
	{ "POST", "/login", make_login },
	{ "GET", "/tokens", admin_tokens },
	{ "POST", "/tokens", admin_token_create },
	{ "POST", "/tokens/*/revoke", admin_token_revoke },
	{ "POST", "/tokens/*/delete", admin_token_delete },
	{ "GET", "/routes", admin_routes },
	{ "POST", "/nodes/*/routes/approve", admin_route_approve },
	{ "POST", "/nodes/*/routes/unapprove", admin_route_unapprove },
	{ "GET", "/own-prefixes", admin_own_prefixes },
	{ "POST", "/own-prefixes", admin_own_prefixes_set },
	{ "GET", "/policy", admin_policy },
	{ "POST", "/policy", admin_policy_set },
	{ "GET", "/policy/status", admin_policy_status },
	{ "GET", "/policy/versions", admin_policy_versions },
	{ "GET", "/policy/versions/*", admin_policy_version },
	{ "POST", "/policy/versions/*/restore", admin_policy_restore },
	{ "POST", "/policy/check", admin_policy_check },
	{ "POST", "/policy/preview", admin_policy_preview },
	{ "POST", "/policy/can", admin_policy_can },
	{ "POST", "/policy/pull", admin_policy_pull },
};

static bool path_matches(const char *pattern, struct view path, int64_t *ret_id)
{
	const char *star = strchr(pattern, '*');
	size_t head = star ? (size_t)(star - pattern) : strlen(pattern), digits = 0;
	uint64_t id;

	if (path.len < head || memcmp(path.p, pattern, head) != 0)
		return false;
	if (!star)
		return path.len == head;
	while (head + digits < path.len && path.p[head + digits] != '/')
		digits++;
	if (!view_eq(view_of(path.p + head + digits, path.len - head - digits),
		    view_of(star + 1, strlen(star + 1))) ||
		text_u64((const char *)path.p + head, digits, INT64_MAX, &id) < 0)
		return false;
	*ret_id = (int64_t)id;
	return true;
}

static const struct route *find_route(struct admin_call *c, const struct http1_head *head)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (http1_method_is(head, routes[i].method) &&
			path_matches(routes[i].path, http1_path(head), &c->id))
			return &routes[i];
	return NULL;
}

static bool is_allowed(const struct httpd_conn *conn)
{
	uid_t uid;

	return stream_peer_uid(httpd_stream((struct httpd_conn *)(uintptr_t)conn), &uid) &&
	       (uid == 0 || uid == geteuid());
}

bool admin_raise(
	void *ctx, struct httpd_conn *conn, const struct http1_head *head, struct httpd_limits *l)
{
	(void)ctx;
	(void)head;
	l->body = BODY_MAX;
	return is_allowed(conn);
}

/* What only looks is not noted: GET, and POST where the question has a body. */
static bool changes_something(const struct route *r)
{
	static const char *const looks[] = { "/nodes/list", "/nodes/show", "/nodes/waiting",
		"/policy/check", "/policy/preview", "/policy/can" };

	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		if (!strcmp(r->path, looks[i]))
			return false;
	return strcmp(r->method, "POST") == 0;
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

static int run(struct admin_call *c, const struct route *route, const struct http1_head *head)
{
	struct view path = http1_path(head);
	char details[512];
	int rc = route->fn(c);

	if (changes_something(route))
		log_info("admin", rc < 0 ? "a change was refused" : "a change was asked for",
			"by=%s request=%.*s%s%s%s",
			c->req.author && *c->req.author ? c->req.author : "unknown", (int)path.len,
			(const char *)path.p, details_of(&c->req, details, sizeof(details)),
			rc < 0 ? " why=" : "", rc < 0 ? c->error[0] ? c->error : err_text(rc) : "");
	return rc;
}

static int on_request(struct hub *h, struct httpd_conn *conn, const struct httpd_request *r)
{
	struct admin_call c = { .hub = h, .conn = conn };
	const struct route *route;
	struct err_at at;
	int rc = 0;

	if (!is_allowed(conn))
		return httpd_refuse(conn, 403, "only root and the user of the hub may do this\n");
	c.now = loop_now(c.hub->loop);
	c.hub->n.admin_requests++;
	route = find_route(&c, r->head);
	if (!route)
		return httpd_refuse(conn, 404, "no such path\n");
	arena_init(&c.mem, ADMIN_MEM_MAX);
	if (r->body.len)
		rc = json_decode(&admin_request_type, r->body.p, r->body.len, &c.req, &c.mem, &at);
	if (rc == -ERR_TOO_BIG)
		rc = admin_say(&c, -ERR_BAD_VALUE,
			"this is more than a request may hold; a policy has at most %d bytes",
			COORD_POLICY_TEXT_MAX);
	else if (rc < 0)
		rc = httpd_refuse(conn, 400, "malformed request\n");
	else
		rc = run(&c, route, r->head);
	if (rc < 0)
		rc = reply_error(&c, rc);
	arena_fini(&c.mem);
	return rc;
}

int admin_on_request(void *ctx, struct httpd_conn *conn, const struct httpd_request *r)
{
	return hub_answer(ctx, conn, r, on_request, HUB_ADMIN);
}
