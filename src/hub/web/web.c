/* The public listeners: control protocol, relay and pages on one port. */
#include "hub/web/web.h"
#include "base/text/text.h"
#include "hub/auth/auth.h"
#include "hub/control/control.h"
#include "hub/web/internal.h"
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

static int reply(struct http_request *q, int status, struct buf *page, int rc)
{
	hub_of(q)->n.pages++;
	if (rc == 0)
		rc = http_reply_send(q->reply, status, html, page_headers, buf_view(page));
	buf_fini(page);
	return rc;
}

static int message(struct http_request *q, int status, const char *title, const char *text)
{
	struct buf page;

	buf_init(&page, HUB_PAGE_MAX);
	return reply(q, status, &page, page_message(hub_of(q), title, text, &page));
}

static int redirect(struct http_request *q, const char *to, const char *cookie)
{
	char extra[1024];

	snprintf(extra, sizeof(extra), "%sLocation: %s\r\n%s", page_headers, to, cookie);
	return http_reply_send(q->reply, 303, plain, extra, view_of("", 0));
}

/* The session of who may let devices in; NULL: nobody is logged in, or has another role. */
static struct hub_login *login_of(struct http_request *q)
{
	return principal_may(&q->who, RIGHT_DEVICES) ? q->who.proof : NULL;
}

/* The session, if its person meant this: cookie, and the token of a page that we gave to this session. */
static struct hub_login *meant_by(struct http_request *q, struct hub_login *l)
{
	char csrf[HUB_TOKEN_TEXT + 1];

	if (!l)
		return NULL;
	if (http_request_form(q, "csrf", csrf, sizeof(csrf)) &&
		login_csrf_holds(l, view_of(csrf, strlen(csrf))))
		return l;
	hub_of(q)->n.csrf_failures++;
	return NULL;
}

static struct hub_login *admin_of(struct http_request *q)
{
	return meant_by(q, login_of(q));
}

static int on_landing(struct http_request *q)
{
	struct buf page;

	buf_init(&page, HUB_PAGE_MAX);
	return reply(q, 200, &page, page_landing(hub_of(q), q->who.proof, &page));
}

static const char not_logged_in[] =
	"Log in with the link that \"warren-hub login\" prints on the hub, and try again.";

static const char more_rights[] =
	"This user has a role with more rights than yours; who has them lets the device in.";

static void log_approval(struct http_request *q, int64_t id)
{
	const struct coord_node_doc *n = coord_node_find(hub_of(q)->tailnet, id);
	char from[IPADDR_TEXT_MAX];

	log_info("hub", "device approved in a browser", "id=%lld name=%s from=%s", (long long)id,
		n ? n->name : "", ipaddr_format(q->who.from.ip, from));
}

static int said_in(struct http_request *q, int64_t id)
{
	log_approval(q, id);
	return message(q, 200, "The device is in",
		"It goes on by itself within a second. You can close this page.");
}

static int changed(struct http_request *q, const struct coord_grant *now, const char *digest)
{
	const char *changes = shown_changes(hub_of(q), digest, now, &q->mem);
	const char *text = arena_printf(&q->mem,
		"What this would let in is not what you were shown%s%s. Go back, load the page anew and look again.",
		*changes ? ": " : "", changes);

	return message(q, 409, "It has changed", text ? text : err_text(-ERR_CHANGED));
}

static int say_not(struct http_request *q, int rc)
{
	if (rc == -ERR_DENIED)
		return message(q, 403, "Not approved",
			"The policy does not let this user give the tags that the device asks for.");
	if (rc == -ERR_EXPIRED)
		return message(q, 409, "Not approved",
			"This device was in meanwhile, and its key has expired: it has to ask anew with a fresh one.");
	return message(q, rc == -ENOENT ? 404 : 500, "Not approved", err_text(rc));
}

static int approve(struct http_request *q, const char *code)
{
	char name[256], digest[64];
	const struct coord_user *u;
	struct coord_grant g;
	int64_t id = 0;
	int rc;

	if (!admin_of(q))
		return message(q, 403, "Not logged in", not_logged_in);
	if (!http_request_form(q, "digest", digest, sizeof(digest)))
		return message(q, 400, "Not approved",
			"The form does not say what was shown. Load the page anew.");
	u = login_means(hub_of(q), login_of(q),
		http_request_form(q, "user", name, sizeof(name)) ? name : NULL);
	if (u && !login_may_act_for(q->who.rights, u))
		return message(q, 403, "Not approved", more_rights);
	rc = u ? coord_pending_grant(
			 hub_of(q)->tailnet, code, u->id, loop_now(hub_of(q)->loop), &q->mem, &g)
	       : -ENOENT;
	if (rc == 0)
		rc = coord_pending_approve(
			hub_of(q)->tailnet, code, u->id, digest, loop_now(hub_of(q)->loop), &id);
	if (rc == -ERR_CHANGED)
		return changed(q, &g, digest);
	return rc < 0 ? say_not(q, rc) : said_in(q, id);
}

/* The device, by the form of its page for admins. */
static int on_approve_node(struct http_request *q)
{
	char text[24], digest[64];
	struct coord_grant g;
	uint64_t id;
	int rc;

	if (!admin_of(q))
		return message(q, 403, "Not logged in", not_logged_in);
	if (!http_request_form(q, "node", text, sizeof(text)) ||
		text_u64(text, strlen(text), INT64_MAX, &id) < 0)
		return message(q, 400, "Not approved", "The form does not say which device.");
	if (!http_request_form(q, "digest", digest, sizeof(digest)))
		return message(q, 400, "Not approved",
			"The form does not say what was shown. Load the page anew.");
	rc = coord_node_grant(hub_of(q)->tailnet, (int64_t)id, &q->mem, &g);
	if (rc == 0)
		rc = coord_node_approve(
			hub_of(q)->tailnet, (int64_t)id, digest, loop_now(hub_of(q)->loop));
	if (rc == -ENOENT)
		return message(q, 404, "No such device", "It was deleted meanwhile.");
	if (rc == -ERR_CHANGED)
		return changed(q, &g, digest);
	return rc < 0 ? message(q, 500, "Not approved", err_text(rc)) : said_in(q, (int64_t)id);
}

static int show_device(struct http_request *q, const struct hub_login *login, int64_t id)
{
	const struct coord_node_doc *d = coord_node_find(hub_of(q)->tailnet, id);
	struct coord_grant g;
	struct buf page;
	int rc;

	if (!d || !d->unapproved)
		return message(q, 404, "It does not wait",
			d ? "This device is in already."
			  : "There is no such device; it may have been deleted.");
	rc = coord_node_grant(hub_of(q)->tailnet, id, &q->mem, &g);
	if (rc < 0)
		return rc;
	shown_note(hub_of(q), &g);
	buf_init(&page, HUB_PAGE_MAX);
	return reply(q, 200, &page, page_device(d, login, &g, &page));
}

/* A device that waits, for admins only. */
static int on_device(struct http_request *q)
{
	struct view word = http_request_param(q, "id");
	uint64_t id;

	if (text_u64((const char *)word.p, word.len, INT64_MAX, &id) < 0)
		return message(
			q, 404, "No such device", "The address has to end with a device's number.");
	return show_device(q, login_of(q), (int64_t)id);
}

static int on_admin(struct http_request *q)
{
	struct buf page;

	buf_init(&page, HUB_PAGE_MAX);
	return reply(q, 200, &page, page_admin(hub_of(q), login_of(q), &page));
}

static int no_such_code(struct http_request *q, const char *code, const struct hub_login *login)
{
	struct coord_pending_view p;

	if (login && coord_pending_successor(hub_of(q)->tailnet, code, &p))
		return message(q, 409, "It has changed",
			"The device with this code asks for other things by now, and has another code for "
			"them. Look at what the device shows.");
	return message(q, 404, "No such request",
		"No device waits with this code. It may be in already, or the code is older than 15 minutes: "
		"let the device log in again.");
}

/* As whose device it is looked at, and what that would give. */
static int show_login(
	struct http_request *q, const struct coord_pending_view *p, const struct hub_login *login)
{
	const struct coord_user *u = NULL;
	struct coord_grant g;
	struct buf page;
	char name[256];
	int rc = 0;

	if (login)
		u = login_means(hub_of(q), login,
			http1_unescape(http1_query(q->head, "user"), true, name, sizeof(name)) == 0
				? name
				: NULL);
	if (login && !u)
		return message(q, 404, "No such user", "There is no user of this name.");
	if (u && !login_may_act_for(q->who.rights, u))
		return message(q, 403, "Not yours to approve", more_rights);
	if (u)
		rc = coord_pending_grant(
			hub_of(q)->tailnet, p->code, u->id, loop_now(hub_of(q)->loop), &q->mem, &g);
	if (rc < 0)
		return rc;
	if (u)
		shown_note(hub_of(q), &g);
	buf_init(&page, HUB_PAGE_MAX);
	return reply(q, 200, &page, page_register(hub_of(q), p, login, u ? &g : NULL, u, &page));
}

/* Who is no admin and guesses is stopped, also when a guess would be right. */
static int on_register(struct http_request *q)
{
	const struct hub_login *login = login_of(q);
	mono_ns now = loop_now(hub_of(q)->loop).mono;
	struct view word = http_request_param(q, "code");
	struct coord_pending_view p;
	char code[64];

	snprintf(code, sizeof(code), "%.*s", (int)MIN_OF(word.len, sizeof(code) - 1),
		(const char *)word.p);
	if (!login && throttle_codes_are_shut(hub_of(q), q->who.from.ip, now)) {
		hub_of(q)->n.codes_throttled++;
		return message(q, 429, "Too many wrong codes",
			"Wait a minute, and look at the code once more. An admin who is logged in does not "
			"have to wait, nor does \"warren-hub nodes approve\".");
	}
	if (!coord_pending_find(hub_of(q)->tailnet, code, &p)) {
		if (!login)
			throttle_code_was_wrong(hub_of(q), q->who.from.ip, now);
		return no_such_code(q, code, login);
	}
	return http_request_is(q, "POST") ? approve(q, p.code) : show_login(q, &p, login);
}

static int link_is_no_good(struct http_request *q, enum hub_link_state state)
{
	static const char again[] = "\"warren-hub login\" on the hub prints another one.";
	char text[256];

	hub_of(q)->n.login_failures++;
	snprintf(text, sizeof(text), "%s %s",
		state == LINK_USED ? "Links work once, and somebody has used this one."
		: state == LINK_OLD
			? "Links work for ten minutes."
			: "There is no such link. Was it copied whole? A restart of the hub ends all links, too.",
		again);
	return message(q, 404,
		state == LINK_USED  ? "This link was used already"
		: state == LINK_OLD ? "This link is too old"
				    : "This link is wrong",
		text);
}

static int on_login(struct http_request *q)
{
	char cookie[HUB_TOKEN_TEXT], next[256], line[256], token[HUB_TOKEN_TEXT],
		from[IPADDR_TEXT_MAX];
	struct view word = http_request_param(q, "token");
	enum hub_link_state state = login_link_state(hub_of(q), word);
	struct buf page;

	if (state != LINK_GOOD)
		return link_is_no_good(q, state);
	snprintf(token, sizeof(token), "%.*s", (int)word.len, (const char *)word.p);
	if (!http_request_is(q,
		    "POST")) { /* a link that a chat program looks at must still work afterwards */
		buf_init(&page, HUB_PAGE_MAX);
		return reply(q, 200, &page, page_login(hub_of(q), token, &page));
	}
	if (!login_begin(hub_of(q), word, cookie, next))
		return -ERR_BAD_STATE;
	log_info("hub", "browser logged in", "from=%s", ipaddr_format(q->who.from.ip, from));
	snprintf(line, sizeof(line),
		"Set-Cookie: warren_admin=%s; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict%s\r\n",
		cookie, hub_of(q)->url.https ? "; Secure" : "");
	return redirect(q, next, line);
}

static int on_logout(struct http_request *q)
{
	struct hub_login *l = meant_by(q, q->who.proof);

	if (l)
		login_end(l);
	return redirect(q, "/",
		"Set-Cookie: warren_admin=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict\r\n");
}

static int on_style(struct http_request *q)
{
	return http_reply_send(q->reply, 200, "text/css; charset=utf-8", nosniff,
		view_of(page_style, strlen(page_style)));
}

static int on_key(struct http_request *q)
{
	char text[KEY_TEXT_MAX], zero[KEY_TEXT_MAX], body[256];
	static const uint8_t none[KEY_LEN];

	snprintf(body, sizeof(body), "{\"legacyPublicKey\":\"%s\",\"publicKey\":\"%s\"}\n",
		key_format(KEY_MACHINE, none, zero),
		key_format(KEY_MACHINE, hub_of(q)->noise_pub.b, text));
	return http_reply_send(q->reply, 200, json, nosniff, view_of(body, strlen(body)));
}

/* By what the writer says of itself: the disk is not asked. */
static int on_health(struct http_request *q)
{
	struct store_sqlite_state s;
	mono_ns waits;
	char body[256];

	store_sqlite_state(hub_of(q)->store, &s);
	waits = s.writing_since ? loop_now(hub_of(q)->loop).mono - s.writing_since : 0;
	if (hub_of(q)->failed || store_sqlite_store(hub_of(q)->store)->refuses)
		snprintf(body, sizeof(body),
			"{\"status\":\"fail\",\"output\":\"the database cannot be written\"}\n");
	else if (waits > HUB_STORE_STUCK)
		snprintf(body, sizeof(body),
			"{\"status\":\"fail\",\"output\":\"a change has waited for the database for %lld s: %s\"}\n",
			(long long)(waits / SEC(1)),
			s.busy ? "another process holds it" : "the disk does not answer");
	else
		return http_reply_send(
			q->reply, 200, json, nosniff, VIEW_LIT("{\"status\":\"pass\"}\n"));
	return http_reply_send(q->reply, 503, json, nosniff, view_of(body, strlen(body)));
}

static int on_metrics(struct http_request *q)
{
	struct buf b;
	int rc;

	buf_init(&b, HUB_PAGE_MAX / 2);
	rc = metrics_print(hub_of(q), &b);
	if (rc == 0)
		rc = http_reply_send(q->reply, 200, "text/plain; version=0.0.4; charset=utf-8",
			nosniff, buf_view(&b));
	buf_fini(&b);
	return rc;
}

static int on_package(struct http_request *q)
{
	return packages_answer(hub_of(q)->packages, q->reply, http_request_param(q, "name"),
		loop_now(hub_of(q)->loop).mono);
}

static int on_bootstrap_dns(struct http_request *q)
{
	return http_reply_send(q->reply, 200, json, nosniff, VIEW_LIT("{}\n"));
}

static int on_robots(struct http_request *q)
{
	return http_reply_send(
		q->reply, 200, plain, nosniff, VIEW_LIT("User-agent: *\nDisallow: /\n"));
}

static int on_version(struct http_request *q)
{
	return http_reply_send(
		q->reply, 200, json, nosniff, VIEW_LIT("{\"version\":\"" WARREN_VERSION "\"}\n"));
}

/* A browser gets a page, a program a line. Both count as the client's fault. */
static int say_refusal(
	struct http_request *q, int status, const char *extra, const char *title, const char *text)
{
	struct view accept = http1_find(q->head, "Accept");
	bool is_browser = memmem(accept.p, accept.len, "text/html", 9) != NULL;
	char headers[1024], line[512];
	struct buf page;
	int rc;

	snprintf(headers, sizeof(headers), "%s%s", extra, is_browser ? page_headers : nosniff);
	snprintf(line, sizeof(line), "%s: %s\n", title, text);
	buf_init(&page, HUB_PAGE_MAX);
	rc = is_browser ? page_message(hub_of(q), title, text, &page) : buf_append_str(&page, line);
	if (rc == 0)
		rc = http_reply_refuse(
			q->reply, status, is_browser ? html : plain, headers, buf_view(&page));
	buf_fini(&page);
	return rc;
}

static int no_such_page(struct http_request *q)
{
	return say_refusal(q, 404, "", "No such page",
		"This hub has a page at / and, for admins, at /admin. Was the address copied whole?");
}

static int wrong_method(struct http_request *q, const char *allow)
{
	char header[HTTP_ALLOW_MAX + 16];

	snprintf(header, sizeof(header), "Allow: %s\r\n", allow);
	return say_refusal(q, 405, header, "Not this way",
		strstr(allow, "GET")
			? "This page is to be looked at; it takes no form."
			: "This address is for a form of a page, not to be looked at.");
}

/* RIGHT_DEVICES: a browser session; forms show that they are its own besides (admin_of). */
static const struct http_route pages[] = {
	{ "GET", "/", 0, .fn = on_landing },
	{ "GET", "/key", 0, .fn = on_key },
	{ "GET", "/health", 0, .fn = on_health },
	{ "GET", "/metrics", 0, .fn = on_metrics },
	{ "GET", "/version", 0, .fn = on_version },
	{ "GET", "/style.css", 0, .fn = on_style },
	{ "GET", "/robots.txt", 0, .fn = on_robots },
	{ "GET", "/bootstrap-dns", 0, .fn = on_bootstrap_dns },
	{ "GET", "/packages/{name...}", 0, .fn = on_package },
	{ "GET", "/admin", 0, .fn = on_admin, .flags = HTTP_ROUTE_SLASH },
	{ "GET", "/admin/machines", 0, .fn = on_admin },
	{ "POST", "/admin/approve", RIGHT_DEVICES, .fn = on_approve_node,
		.flags = HTTP_ROUTE_CHANGES },
	{ "GET", "/admin/device/{id...}", RIGHT_DEVICES, .fn = on_device },
	{ "GET", "/register/{code...}", 0, .fn = on_register },
	{ "POST", "/register/{code...}", 0, .fn = on_register, .flags = HTTP_ROUTE_CHANGES },
	{ "GET", "/login/{token...}", 0, .fn = on_login },
	{ "POST", "/login/{token...}", 0, .fn = on_login },
	{ "POST", "/logout", 0, .fn = on_logout },
};

static int refuse(struct http_request *q, enum router_refusal why, const char *detail, int rc)
{
	switch (why) {
	case ROUTER_NOT_FOUND:
		return no_such_page(q);
	case ROUTER_BAD_METHOD:
		return wrong_method(q, detail);
	case ROUTER_DENIED:
		if (principal_may(&q->who, RIGHT_SESSION))
			return message(
				q, 403, "Not yours to do", "Your role does not include this.");
		return message(q, 403, "Not logged in", not_logged_in);
	case ROUTER_NO_CHANGE:
		return hold_refuse(q, HUB_PAGE, detail);
	case ROUTER_FAILED:
		break;
	}
	return 0;
}

static const struct router_ops page_ops = {
	.identify = login_identify, .refuse = refuse, .gate = &hold_page
};
const struct router web_pages = { ROUTER_TABLE(pages), .ops = &page_ops, .mem_max = GRANT_MEM_MAX };

/* What devices and other relays ask on the same port. */

static int on_ts2021(struct http_request *q)
{
	return control_accept(hub_of(q), q);
}

static int on_derp(struct http_request *q)
{
	if (hub_of(q)->reach.relay == REACH_NO_RELAY)
		return http_reply_refuse_text(q->reply, 404, "this hub has no relay\n");
	return front_derp(hub_of(q)->relay, q);
}

static const struct http_route devices[] = {
	{ NULL, "/ts2021", 0, .fn = on_ts2021 },
	{ NULL, "/derp", 0, .fn = on_derp },
	{ "POST", "/verify", 0, .fn = admit_on_verify },
};

static int refuse_device(
	struct http_request *q, enum router_refusal why, const char *detail, int rc)
{
	return why == ROUTER_BAD_METHOD ? http_reply_refuse(q->reply, 405, plain, "Allow: POST\r\n",
						  VIEW_LIT("for relays, which POST a key\n"))
					: 0;
}

static const struct router_ops device_ops = { .refuse = refuse_device };
const struct router web_devices = { ROUTER_TABLE(devices), .ops = &device_ops };
