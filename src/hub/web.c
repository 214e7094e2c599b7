/* The public listeners: control protocol, relay and pages on one port. */
#include "base/text/text.h"
#include "hub/api.h"
#include "hub/internal.h"
#include "os/log/log.h"
#include "relay/front.h"
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <stdio.h>

static const char html[] = "text/html; charset=utf-8", plain[] = "text/plain; charset=utf-8",
		  json[] = "application/json";
static const char page_headers[] =
	"Content-Security-Policy: default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
	"frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n";
static const char nosniff[] = "X-Content-Type-Options: nosniff\r\n";

enum { GRANT_MEM_MAX = 4 << 20 };

struct call {
	struct hub *hub;
	struct httpd_conn *conn;
	const struct httpd_request *r;
	struct view rest; /* of the path, behind what the route names */
	bool post;
};

static int reply(const struct call *c, int status, struct buf *page, int rc)
{
	c->hub->n.pages++;
	if (rc == 0)
		rc = httpd_answer(c->conn, status, html, page_headers, buf_view(page));
	buf_fini(page);
	return rc;
}

static int message(const struct call *c, int status, const char *title, const char *text)
{
	struct buf page;

	buf_init(&page, HUB_PAGE_MAX);
	return reply(c, status, &page, page_message(c->hub, title, text, &page));
}

static int redirect(const struct call *c, const char *to, const char *cookie)
{
	char extra[1024];

	snprintf(extra, sizeof(extra), "%sLocation: %s\r\n%s", page_headers, to, cookie);
	return httpd_answer(c->conn, 303, plain, extra, view_of("", 0));
}

static bool form_value(const struct call *c, const char *name, char *out, size_t size)
{
	struct view v;

	return http1_form(c->r->body, name, &v) && http1_unescape(v, true, out, size) == 0;
}

/* The session of an admin who meant this: cookie, and the token of a page that we gave to this session. */
static struct hub_login *admin_of(const struct call *c)
{
	struct hub_login *l = login_find(c->hub, c->r->head);
	char csrf[HUB_TOKEN_TEXT + 1];

	if (!l)
		return NULL;
	if (form_value(c, "csrf", csrf, sizeof(csrf)) &&
		login_csrf_holds(l, view_of(csrf, strlen(csrf))))
		return l;
	c->hub->n.csrf_failures++;
	return NULL;
}

static int on_landing(const struct call *c)
{
	struct buf page;

	buf_init(&page, HUB_PAGE_MAX);
	return reply(c, 200, &page, page_landing(c->hub, login_find(c->hub, c->r->head), &page));
}

static const char not_logged_in[] =
	"Log in with the link that \"warren-hub login\" prints on the hub, and try again.";

static struct ipaddr from_of(const struct call *c)
{
	return stream_peer(httpd_stream(c->conn)).ip;
}

static void log_approval(const struct call *c, int64_t id)
{
	const struct coord_node_doc *n = coord_node_find(c->hub->tailnet, id);
	char from[IPADDR_TEXT_MAX];

	log_info("hub", "device approved in a browser", "id=%lld name=%s from=%s", (long long)id,
		n ? n->name : "", ipaddr_format(from_of(c), from));
}

static int said_in(const struct call *c, int64_t id)
{
	log_approval(c, id);
	return message(c, 200, "The device is in",
		"It goes on by itself within a second. You can close this page.");
}

static int changed(
	const struct call *c, const struct coord_grant *now, const char *digest, struct arena *mem)
{
	const char *changes = shown_changes(c->hub, digest, now, mem);
	const char *text = arena_printf(mem,
		"What this would let in is not what you were shown%s%s. Go back, load the page anew and look again.",
		*changes ? ": " : "", changes);

	return message(c, 409, "It has changed", text ? text : err_text(-ERR_CHANGED));
}

static int say_not(const struct call *c, int rc)
{
	if (rc == -ERR_DENIED)
		return message(c, 403, "Not approved",
			"The policy does not let this user give the tags that the device asks for.");
	if (rc == -ERR_EXPIRED)
		return message(c, 409, "Not approved",
			"This device was in meanwhile, and its key has expired: it has to ask anew with a fresh one.");
	return message(c, rc == -ENOENT ? 404 : 500, "Not approved", err_text(rc));
}

static int approve(const struct call *c, const char *code, struct arena *mem)
{
	char name[256], digest[64];
	const struct coord_user *u;
	struct coord_grant g;
	int64_t id = 0;
	int rc;

	if (!admin_of(c))
		return message(c, 403, "Not logged in", not_logged_in);
	if (!form_value(c, "digest", digest, sizeof(digest)))
		return message(c, 400, "Not approved",
			"The form does not say what was shown. Load the page anew.");
	u = hub_user(c->hub, form_value(c, "user", name, sizeof(name)) ? name : NULL);
	rc = u ? coord_pending_grant(c->hub->tailnet, code, u->id, loop_now(c->hub->loop), mem, &g)
	       : -ENOENT;
	if (rc == 0)
		rc = coord_pending_approve(
			c->hub->tailnet, code, u->id, digest, loop_now(c->hub->loop), &id);
	if (rc == -ERR_CHANGED)
		return changed(c, &g, digest, mem);
	return rc < 0 ? say_not(c, rc) : said_in(c, id);
}

static int approve_node(const struct call *c, struct arena *mem)
{
	char text[24], digest[64];
	struct coord_grant g;
	uint64_t id;
	int rc;

	if (!admin_of(c))
		return message(c, 403, "Not logged in", not_logged_in);
	if (!form_value(c, "node", text, sizeof(text)) ||
		text_u64(text, strlen(text), INT64_MAX, &id) < 0)
		return message(c, 400, "Not approved", "The form does not say which device.");
	if (!form_value(c, "digest", digest, sizeof(digest)))
		return message(c, 400, "Not approved",
			"The form does not say what was shown. Load the page anew.");
	rc = coord_node_grant(c->hub->tailnet, (int64_t)id, mem, &g);
	if (rc == 0)
		rc = coord_node_approve(
			c->hub->tailnet, (int64_t)id, digest, loop_now(c->hub->loop));
	if (rc == -ENOENT)
		return message(c, 404, "No such device", "It was deleted meanwhile.");
	if (rc == -ERR_CHANGED)
		return changed(c, &g, digest, mem);
	return rc < 0 ? message(c, 500, "Not approved", err_text(rc)) : said_in(c, (int64_t)id);
}

/* The device, by the form of its page for admins. */
static int on_approve_node(const struct call *c)
{
	struct arena mem;
	int rc;

	arena_init(&mem, GRANT_MEM_MAX);
	rc = approve_node(c, &mem);
	arena_fini(&mem);
	return rc;
}

static int show_device(
	const struct call *c, const struct hub_login *login, int64_t id, struct arena *mem)
{
	const struct coord_node_doc *d = coord_node_find(c->hub->tailnet, id);
	struct coord_grant g;
	struct buf page;
	int rc;

	if (!d || !d->unapproved)
		return message(c, 404, "It does not wait",
			d ? "This device is in already."
			  : "There is no such device; it may have been deleted.");
	rc = coord_node_grant(c->hub->tailnet, id, mem, &g);
	if (rc < 0)
		return rc;
	shown_note(c->hub, &g);
	buf_init(&page, HUB_PAGE_MAX);
	return reply(c, 200, &page, page_device(d, login, &g, &page));
}

/* A device that waits, for admins only. */
static int on_device(const struct call *c)
{
	const struct hub_login *login = login_find(c->hub, c->r->head);
	struct arena mem;
	uint64_t id;
	int rc;

	if (!login)
		return message(c, 403, "Not logged in", not_logged_in);
	if (text_u64((const char *)c->rest.p, c->rest.len, INT64_MAX, &id) < 0)
		return message(
			c, 404, "No such device", "The address has to end with a device's number.");
	arena_init(&mem, GRANT_MEM_MAX);
	rc = show_device(c, login, (int64_t)id, &mem);
	arena_fini(&mem);
	return rc;
}

static int on_admin(const struct call *c)
{
	struct buf page;

	buf_init(&page, HUB_PAGE_MAX);
	return reply(c, 200, &page, page_admin(c->hub, login_find(c->hub, c->r->head), &page));
}

static int no_such_code(const struct call *c, const char *code, const struct hub_login *login)
{
	struct coord_pending_view p;

	if (login && coord_pending_successor(c->hub->tailnet, code, &p))
		return message(c, 409, "It has changed",
			"The device with this code asks for other things by now, and has another code for "
			"them. Look at what the device shows.");
	return message(c, 404, "No such request",
		"No device waits with this code. It may be in already, or the code is older than 15 minutes: "
		"let the device log in again.");
}

/* As whose device it is looked at, and what that would give. */
static int show_login(const struct call *c, const struct coord_pending_view *p,
	const struct hub_login *login, struct arena *mem)
{
	const struct coord_user *u = NULL;
	struct coord_grant g;
	struct buf page;
	char name[256];
	int rc = 0;

	if (login)
		u = hub_user(c->hub, http1_unescape(http1_query(c->r->head, "user"), true, name,
					     sizeof(name)) == 0
					     ? name
					     : NULL);
	if (login && !u)
		return message(c, 404, "No such user", "There is no user of this name.");
	if (u)
		rc = coord_pending_grant(
			c->hub->tailnet, p->code, u->id, loop_now(c->hub->loop), mem, &g);
	if (rc < 0)
		return rc;
	if (u)
		shown_note(c->hub, &g);
	buf_init(&page, HUB_PAGE_MAX);
	return reply(c, 200, &page, page_register(c->hub, p, login, u ? &g : NULL, u, &page));
}

/* Who is no admin and guesses is stopped, also when a guess would be right. */
static int on_register(const struct call *c)
{
	const struct hub_login *login = login_find(c->hub, c->r->head);
	mono_ns now = loop_now(c->hub->loop).mono;
	struct coord_pending_view p;
	struct arena mem;
	char code[64];
	int rc;

	snprintf(code, sizeof(code), "%.*s", (int)MIN_OF(c->rest.len, sizeof(code) - 1),
		(const char *)c->rest.p);
	if (!login && codes_are_shut(c->hub, from_of(c), now)) {
		c->hub->n.codes_throttled++;
		return message(c, 429, "Too many wrong codes",
			"Wait a minute, and look at the code once more. An admin who is logged in does not "
			"have to wait, nor does \"warren-hub nodes approve\".");
	}
	if (!coord_pending_find(c->hub->tailnet, code, &p)) {
		if (!login)
			code_was_wrong(c->hub, from_of(c), now);
		return no_such_code(c, code, login);
	}
	arena_init(&mem, GRANT_MEM_MAX);
	rc = c->post ? approve(c, p.code, &mem) : show_login(c, &p, login, &mem);
	arena_fini(&mem);
	return rc;
}

static int link_is_no_good(const struct call *c, enum hub_link_state state)
{
	static const char again[] = "\"warren-hub login\" on the hub prints another one.";
	char text[256];

	c->hub->n.login_failures++;
	snprintf(text, sizeof(text), "%s %s",
		state == LINK_USED ? "Links work once, and somebody has used this one."
		: state == LINK_OLD
			? "Links work for ten minutes."
			: "There is no such link. Was it copied whole? A restart of the hub ends all links, too.",
		again);
	return message(c, 404,
		state == LINK_USED  ? "This link was used already"
		: state == LINK_OLD ? "This link is too old"
				    : "This link is wrong",
		text);
}

static int on_login(const struct call *c)
{
	char cookie[HUB_TOKEN_TEXT], next[256], line[256], token[HUB_TOKEN_TEXT],
		from[IPADDR_TEXT_MAX];
	enum hub_link_state state = login_link_state(c->hub, c->rest);
	struct buf page;

	if (state != LINK_GOOD)
		return link_is_no_good(c, state);
	snprintf(token, sizeof(token), "%.*s", (int)c->rest.len, (const char *)c->rest.p);
	if (!c->post) { /* a link that a chat program looks at must still work afterwards */
		buf_init(&page, HUB_PAGE_MAX);
		return reply(c, 200, &page, page_login(c->hub, token, &page));
	}
	if (!login_begin(c->hub, c->rest, cookie, next))
		return -ERR_BAD_STATE;
	log_info("hub", "browser became an admin", "from=%s", ipaddr_format(from_of(c), from));
	snprintf(line, sizeof(line),
		"Set-Cookie: warren_admin=%s; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict%s\r\n",
		cookie, c->hub->url.https ? "; Secure" : "");
	return redirect(c, next, line);
}

static int on_logout(const struct call *c)
{
	struct hub_login *l = admin_of(c);

	if (l)
		login_end(l);
	return redirect(c, "/",
		"Set-Cookie: warren_admin=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict\r\n");
}

static int on_style(const struct call *c)
{
	return httpd_answer(c->conn, 200, "text/css; charset=utf-8", nosniff,
		view_of(page_style, strlen(page_style)));
}

static int on_key(const struct call *c)
{
	char text[KEY_TEXT_MAX], zero[KEY_TEXT_MAX], body[256];
	static const uint8_t none[KEY_LEN];

	snprintf(body, sizeof(body), "{\"legacyPublicKey\":\"%s\",\"publicKey\":\"%s\"}\n",
		key_format(KEY_MACHINE, none, zero),
		key_format(KEY_MACHINE, c->hub->noise_pub.b, text));
	return httpd_answer(c->conn, 200, json, nosniff, view_of(body, strlen(body)));
}

/* By what the writer says of itself: the disk is not asked. */
static int on_health(const struct call *c)
{
	struct store_sqlite_state s;
	mono_ns waits;
	char body[256];

	store_sqlite_state(c->hub->store, &s);
	waits = s.writing_since ? loop_now(c->hub->loop).mono - s.writing_since : 0;
	if (c->hub->failed || store_sqlite_store(c->hub->store)->refuses)
		snprintf(body, sizeof(body),
			"{\"status\":\"fail\",\"output\":\"the database cannot be written\"}\n");
	else if (waits > HUB_STORE_STUCK)
		snprintf(body, sizeof(body),
			"{\"status\":\"fail\",\"output\":\"a change has waited for the database for %lld s: %s\"}\n",
			(long long)(waits / SEC(1)),
			s.busy ? "another process holds it" : "the disk does not answer");
	else
		return httpd_answer(
			c->conn, 200, json, nosniff, VIEW_LIT("{\"status\":\"pass\"}\n"));
	return httpd_answer(c->conn, 503, json, nosniff, view_of(body, strlen(body)));
}

static int on_metrics(const struct call *c)
{
	struct buf b;
	int rc;

	buf_init(&b, HUB_PAGE_MAX / 2);
	rc = metrics_print(c->hub, &b);
	if (rc == 0)
		rc = httpd_answer(c->conn, 200, "text/plain; version=0.0.4; charset=utf-8", nosniff,
			buf_view(&b));
	buf_fini(&b);
	return rc;
}

static int on_package(const struct call *c)
{
	return packages_answer(c->hub->packages, c->conn, c->rest, loop_now(c->hub->loop).mono);
}

static int on_bootstrap_dns(const struct call *c)
{
	return httpd_answer(c->conn, 200, json, nosniff, VIEW_LIT("{}\n"));
}

static int on_robots(const struct call *c)
{
	return httpd_answer(c->conn, 200, plain, nosniff, VIEW_LIT("User-agent: *\nDisallow: /\n"));
}

static int on_version(const struct call *c)
{
	return httpd_answer(
		c->conn, 200, json, nosniff, VIEW_LIT("{\"version\":\"" WARREN_VERSION "\"}\n"));
}

enum { GET = 1, POST = 2, PREFIX = 4 };

#define PACKAGES_PATH "/packages/"

/* A browser gets a page, a program a line. Both count as the client's fault. */
static int refuse(
	const struct call *c, int status, const char *extra, const char *title, const char *text)
{
	struct view accept = http1_find(c->r->head, "Accept");
	bool is_browser = memmem(accept.p, accept.len, "text/html", 9) != NULL;
	char headers[1024], line[512];
	struct buf page;
	int rc;

	snprintf(headers, sizeof(headers), "%s%s", extra, is_browser ? page_headers : nosniff);
	snprintf(line, sizeof(line), "%s: %s\n", title, text);
	buf_init(&page, HUB_PAGE_MAX);
	rc = is_browser ? page_message(c->hub, title, text, &page) : buf_append_str(&page, line);
	if (rc == 0)
		rc = httpd_refuse_with(
			c->conn, status, is_browser ? html : plain, headers, buf_view(&page));
	buf_fini(&page);
	return rc;
}

static int no_such_page(const struct call *c)
{
	return refuse(c, 404, "", "No such page",
		"This hub has a page at / and, for admins, at /admin. Was the address copied whole?");
}

static int wrong_method(const struct call *c, int flags)
{
	const char *allow = flags & GET ? flags & POST ? "GET, HEAD, POST" : "GET, HEAD" : "POST";
	char header[64];

	snprintf(header, sizeof(header), "Allow: %s\r\n", allow);
	return refuse(c, 405, header, "Not this way",
		flags & GET ? "This page is to be looked at; it takes no form."
			    : "This address is for a form of a page, not to be looked at.");
}

static const struct route {
	const char *path;
	int flags;
	int (*fn)(const struct call *c);
} routes[] = {
	{ "/", GET, on_landing },
	{ "/key", GET, on_key },
	{ "/health", GET, on_health },
	{ "/metrics", GET, on_metrics },
	{ "/version", GET, on_version },
	{ "/style.css", GET, on_style },
	{ "/robots.txt", GET, on_robots },
	{ "/bootstrap-dns", GET, on_bootstrap_dns },
	{ PACKAGES_PATH, GET | PREFIX, on_package },
	{ "/admin", GET, on_admin },
	{ "/admin/", GET, on_admin },
	{ "/admin/machines", GET, on_admin },
	{ "/admin/approve", POST, on_approve_node },
	{ "/admin/device/", GET | PREFIX, on_device },
	{ "/register/", GET | POST | PREFIX, on_register },
	{ "/login/", GET | POST | PREFIX, on_login },
	{ "/logout", POST, on_logout },
};

static int page_on_request(
	struct hub *h, struct httpd_conn *conn, const struct httpd_request *request)
{
	struct call all = { .hub = h, .conn = conn, .r = request }, *c = &all;
	struct view path = http1_path(c->r->head);
	const struct http1_head *head = c->r->head;
	bool get = http1_method_is(head, "GET") || http1_method_is(head, "HEAD");

	c->post = http1_method_is(head, "POST");
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		const struct route *r = &routes[i];
		size_t n = strlen(r->path);

		if (path.len < n || memcmp(path.p, r->path, n) != 0 ||
			(!(r->flags & PREFIX) && path.len != n))
			continue;
		if (!(get && r->flags & GET) && !(c->post && r->flags & POST))
			return wrong_method(c, r->flags);
		c->rest = view_of(path.p + n, path.len - n);
		return r->fn(c);
	}
	return no_such_page(c);
}

int web_on_request(void *ctx, struct httpd_conn *conn, const struct httpd_request *r)
{
	struct hub *h = ctx;

	if (view_eq(http1_path(r->head), VIEW_LIT("/ts2021")))
		return control_accept(h, conn, r);
	if (relay_wants(r->head) && h->reach.relay == REACH_NO_RELAY)
		return httpd_refuse(conn, 404, "this hub has no relay\n");
	if (relay_wants(r->head))
		return front_derp(h->relay, conn, r);
	if (view_eq(http1_path(r->head), VIEW_LIT("/verify")))
		return admit_on_verify(h, conn, r);
	if (api_wants(r->head))
		return hub_answer(h, conn, r, api_on_request, HUB_API);
	if (relay_http(r->head, httpd_out(conn)))
		return 0;
	return hub_answer(h, conn, r, page_on_request, HUB_PAGE);
}
