/*
 * What a page of the console is told while it is open: which kinds of things are not as they were. The page asks for what it shows;
 * nothing is said twice within a second, and while nobody looks there is no timer.
 *
 * Bounded: streams of a session and of all; each holds a few bits.
 */
#include "hub/admin/admin.h"
#include "hub/auth/auth.h"
#include "hub/console/console.h"
#include "os/log/log.h"
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	WATCHERS_MAX = 256,
	WATCHERS_SESSION_MAX = 8,
	QUIET_TICKS =
		20, /* a line that says nothing, so that a proxy keeps the stream and a dead one is found */
};
#define TICK SEC(1)

enum kind { DEVICES, WAITING, POLICY, STORED, N_KINDS };
static const char *const kind_name[N_KINDS] = {
	[DEVICES] = "devices", [WAITING] = "waiting", [POLICY] = "policy", [STORED] = "stored"
};

struct watcher {
	struct list link;
	struct console *console;
	const struct hub_login *login;
	uint8_t session[32]; /* the login's hash: its place may be another's by now */
	unsigned news;       /* bits of enum kind */
	unsigned quiet;
	bool begun, let_go; /* a younger one has its place */
	struct http_reply *reply;
};

struct console {
	struct hub *hub;
	struct list watchers;
	size_t n;
	struct loop_timer *timer;
	uint64_t mark[N_KINDS]; /* as it was at the last tick */
	uint64_t ticks;
};

static void look(const struct hub *h, uint64_t mark[static N_KINDS])
{
	const struct coord_policy_version *v = coord_policy_current(h->tailnet);
	struct coord_stats s;

	coord_stats(h->tailnet, &s);
	mark[DEVICES] = s.changes + ((uint64_t)s.online << 40);
	mark[WAITING] = s.pending + ((uint64_t)hub_waiting(h) << 32);
	mark[POLICY] = v ? (uint64_t)v->id : 0;
	mark[STORED] = store_sqlite_store(h->store)->promised;
}

/* What is asked from here on knows all that was looked at. */
static void begin_tick(struct console *c)
{
	c->hub->pages_tick = ++c->ticks;
	loop_timer_set(c->timer, mono_add(loop_now(c->hub->loop).mono, TICK));
}

static void rest(struct console *c)
{
	loop_timer_set(c->timer, MONO_NEVER);
	c->hub->pages_tick = 0;
	c->hub->news = admin_news_free(c->hub->news);
}

static bool is_over(const struct watcher *w, mono_ns now)
{
	return w->let_go || w->login->expires <= now ||
	       memcmp(w->login->hash, w->session, sizeof(w->session)) != 0;
}

static void on_tick(void *ctx)
{
	struct console *c = ctx;
	uint64_t mark[N_KINDS];
	unsigned news = 0;
	mono_ns now = loop_now(c->hub->loop).mono;
	struct list *l, *next;

	look(c->hub, mark);
	for (size_t i = 0; i < N_KINDS; i++)
		news |= mark[i] != c->mark[i] ? 1u << i : 0;
	memcpy(c->mark, mark, sizeof(mark));
	begin_tick(c);
	for (l = c->watchers.next; l != &c->watchers; l = next) {
		struct watcher *w = container_of(l, struct watcher, link);

		next = l->next; /* a wake may end it */
		w->news |= news;
		w->quiet++;
		if (w->news || w->quiet >= QUIET_TICKS || is_over(w, now))
			http_reply_wake(w->reply);
	}
	if (!c->n)
		rest(c);
}

static int fill(void *ctx, struct buf *out, size_t room)
{
	struct watcher *w = ctx;
	size_t had = buf_len(out);
	int rc = 0;

	if (room < 128)
		return 0;
	if (is_over(w, loop_now(w->console->hub->loop).mono))
		return HTTP_SOURCE_END;
	if (!w->begun)
		rc = buf_append_str(out, "retry: 3000\n: warren\n\n");
	w->begun = true;
	if (rc == 0 && w->news) {
		rc = buf_append_str(out, "event: changed\ndata:");
		for (size_t i = 0; i < N_KINDS && rc == 0; i++)
			if (w->news & 1u << i)
				rc = buf_printf(out, " %s", kind_name[i]);
		if (rc == 0)
			rc = buf_append_str(out, "\n\n");
	} else if (rc == 0 && w->quiet >= QUIET_TICKS) {
		rc = buf_append_str(out, ":\n\n");
	}
	w->news = 0;
	if (buf_len(out) != had)
		w->quiet = 0;
	return rc;
}

static void over(void *ctx, int rc)
{
	struct watcher *w = ctx;

	(void)rc;
	list_remove(&w->link);
	w->console->n--;
	free(w);
}

static const struct http_source source = { fill, over };

static int console_of(struct hub *h, struct console **ret)
{
	struct console *c = h->console;
	int rc;

	if (!c) {
		c = calloc(1, sizeof(*c));
		rc = c ? loop_timer_new(h->loop, on_tick, c, &c->timer) : -ENOMEM;
		if (rc < 0) {
			free(c);
			return rc;
		}
		c->hub = h;
		list_init(&c->watchers);
		h->console = c;
	}
	*ret = c;
	return 0;
}

struct console *console_free(struct console *c)
{
	if (c)
		loop_timer_free(c->timer);
	free(c);
	return NULL;
}

/* Of one stream too many of a session the oldest ends: it may be of a page that is long gone. */
static void make_room(struct console *c, const struct hub_login *login)
{
	struct watcher *oldest = NULL;
	size_t n = 0;

	for (struct list *l = c->watchers.next; l != &c->watchers; l = l->next) {
		struct watcher *w = container_of(l, struct watcher, link);

		if (w->let_go || memcmp(w->session, login->hash, sizeof(login->hash)) != 0)
			continue;
		oldest = oldest ? oldest : w;
		n++;
	}
	if (n < WATCHERS_SESSION_MAX)
		return;
	oldest->let_go = true;
	http_reply_wake(oldest->reply);
}

static int on_events(struct http_request *q)
{
	struct hub *h = hub_of(q);
	struct hub_login *login = q->who.proof;
	struct console *c;
	struct watcher *w;
	int rc = console_of(h, &c);

	if (rc < 0)
		return rc;
	make_room(c, login);
	if (c->n >= WATCHERS_MAX)
		return http_reply_refuse(q->reply, 503, "text/plain; charset=utf-8",
			"Retry-After: 30\r\n",
			VIEW_LIT("too many pages of the console are open\n"));
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	*w = (struct watcher){ .console = c, .login = login, .reply = q->reply };
	memcpy(w->session, login->hash, sizeof(w->session));
	if (!c->n++) { /* what changed while nobody looked is no news */
		look(h, c->mark);
		begin_tick(c);
	}
	list_push_tail(&c->watchers, &w->link);
	rc = http_reply_stream(q->reply, 200, "text/event-stream",
		"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Accel-Buffering: no\r\n",
		HTTP_LENGTH_UNKNOWN, &source, w);
	if (rc < 0)
		over(w, rc);
	return rc;
}

struct session {
	const char *csrf, *version, *url, *base_domain, *tailnet;
	const char *user, *role; /* without user: root of this machine */
	struct json_list rights; /* const char * */
};
static const struct json_field session_fields[] = {
	JSON_F(struct session, csrf, "csrf", json_str, 0),
	JSON_F(struct session, version, "version", json_str, 0),
	JSON_F(struct session, url, "url", json_str, 0),
	JSON_F(struct session, base_domain, "baseDomain", json_str, 0),
	JSON_F(struct session, tailnet, "tailnetID", json_str, 0),
	JSON_F(struct session, user, "user", json_str, JSON_OMIT),
	JSON_F(struct session, role, "role", json_str, 0),
	JSON_F(struct session, rights, "rights", json_str_list, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(session_type, struct session, session_fields);

static int on_session(struct http_request *q)
{
	struct hub *h = hub_of(q);
	const struct hub_login *login = q->who.proof;
	const struct coord_user *u = login_user(h, login);
	const char *names[RIGHTS_N];
	struct session doc = { .csrf = login->csrf,
		.version = WARREN_VERSION,
		.url = h->url_text,
		.base_domain = h->o->base_domain,
		.tailnet = coord_tailnet_id(h->tailnet),
		.user = u ? u->name : NULL,
		.role = !u                    ? "owner"
			: u->role && *u->role ? u->role
					      : "member",
		.rights = json_list_of(names, rights_names(q->who.rights, names)) };
	struct buf b;
	int rc;

	buf_init(&b, 4096);
	rc = json_encode(&session_type, &doc, &b);
	if (rc == 0)
		rc = http_reply_send(q->reply, 200, "application/json",
			"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
			buf_view(&b));
	buf_fini(&b);
	return rc;
}

static int on_logout(struct http_request *q)
{
	login_end(q->who.proof);
	return http_reply_send(q->reply, 200, "application/json",
		"Cache-Control: no-store\r\n"
		"Set-Cookie: warren_admin=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict\r\n",
		VIEW_LIT("{}"));
}

static const struct http_route routes[] = {
	{ "GET", "/console/api/session", RIGHT_SESSION, .fn = on_session },
	{ "GET", "/console/api/events", RIGHT_SEE, .fn = on_events },
	{ "POST", "/console/api/logout", RIGHT_SESSION, .fn = on_logout },
};

static int around(struct http_request *q)
{
	if (login_comes_from_us(q->who.proof, q->head, http_request_is(q, "GET")))
		return q->route->fn(q);
	hub_of(q)->n.csrf_failures++;
	return http_reply_refuse_text(
		q->reply, 403, "this did not come from a page of the console\n");
}

static int refuse(struct http_request *q, enum router_refusal why, const char *detail, int rc)
{
	(void)detail;
	(void)rc;
	if (why != ROUTER_DENIED)
		return 0;
	if (principal_may(&q->who, RIGHT_SESSION))
		return http_reply_refuse_text(q->reply, 403, "your role does not include this\n");
	return http_reply_refuse_text(q->reply, 401, "not logged in\n");
}

static const struct router_ops ops = {
	.identify = login_identify, .around = around, .refuse = refuse
};
const struct router console_live = { ROUTER_TABLE(routes), .ops = &ops };
