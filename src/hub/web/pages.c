/* The hub's few pages. No scripts, one stylesheet of our own, everything that a device or a browser said is escaped. */

#include "hub/web/internal.h"
#include <stdio.h>

const char page_style[] =
	":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:8vh auto;padding:0 1rem}"
	"h1{font-size:1.4rem}code,pre{font:0.9em ui-monospace,monospace;background:#8882;border-radius:.3em;padding:.1em .3em;"
	"overflow-wrap:anywhere;white-space:pre-wrap}pre{padding:.6em .8em}table{border-collapse:collapse;margin:1rem 0}"
	"th,td{text-align:left;padding:.25rem 1.5rem .25rem 0;vertical-align:top;overflow-wrap:anywhere}"
	"button{font:inherit;padding:.5em 1.2em;border-radius:.4em;border:1px solid #8888;background:#1a6dff;color:#fff;"
	"cursor:pointer}select{font:inherit;padding:.4em}form{margin:1rem 0}footer{margin-top:3rem;color:#888;font-size:.85rem}";

int page_text(struct buf *out, const char *s)
{
	int rc = 0;

	for (; *s && rc == 0; s++) {
		const char *as = *s == '&'    ? "&amp;"
				 : *s == '<'  ? "&lt;"
				 : *s == '>'  ? "&gt;"
				 : *s == '"'  ? "&quot;"
				 : *s == '\'' ? "&#39;"
					      : NULL;

		rc = as ? buf_append_str(out, as) : buf_append(out, s, 1);
	}
	return rc;
}

/* Pieces of markup with texts between them: markup, text, markup, text, ..., NULL. */
static int put(struct buf *out, const char *const *parts)
{
	int rc = 0;

	for (size_t i = 0; parts[i] && rc == 0; i++)
		rc = i % 2 ? page_text(out, parts[i]) : buf_append_str(out, parts[i]);
	return rc;
}

#define PUT(out, ...) put(out, (const char *const[]){ __VA_ARGS__, NULL })

static int begin(struct buf *out, const char *title)
{
	return PUT(out,
		"<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
		"content=\"width=device-width, initial-scale=1\"><meta name=\"robots\" content=\"noindex\">"
		"<link rel=\"stylesheet\" href=\"/style.css\"><title>",
		title, "</title></head><body><h1>", title, "</h1>");
}

static int end(struct buf *out)
{
	return buf_append_str(out, "<footer>Warren " WARREN_VERSION "</footer></body></html>\n");
}

int page_message(const struct hub *h, const char *title, const char *text, struct buf *out)
{
	int rc = begin(out, title);

	(void)h;
	if (rc == 0)
		rc = PUT(out, "<p>", text, "</p>");
	return rc < 0 ? rc : end(out);
}

static int put_logins(const struct hub *h, struct buf *out)
{
	unix_ms now = loop_now(h->loop).wall;
	struct coord_pending_view p;
	char since[TIME_WORDS_MAX];
	int rc = 0;

	for (const char *after = NULL; rc == 0 && coord_pending_next(h->tailnet, after, &p);
		after = p.code) {
		time_format_long(p.created, now, since);
		rc = PUT(out, "<tr><td><a href=\"/register/", p.code, "\">",
			*p.hostname ? p.hostname : "(no name)", "</a></td><td>", p.os,
			"</td><td>asked ", since, "</td></tr>");
	}
	return rc;
}

/* Devices that joined with a key. */
static int put_unapproved(const struct hub *h, struct buf *out)
{
	unix_ms now = loop_now(h->loop).wall;
	char since[TIME_WORDS_MAX], id[24];
	int rc = 0;

	for (const struct coord_node_doc *d = NULL;
		rc == 0 && (d = coord_node_next(h->tailnet, d));) {
		if (!d->unapproved)
			continue;
		time_format_long(d->created, now, since);
		snprintf(id, sizeof(id), "%lld", (long long)d->id);
		rc = PUT(out, "<tr><td><a href=\"/admin/device/", id, "\">", d->name,
			"</a></td><td>", d->hostinfo && d->hostinfo->os ? d->hostinfo->os : "",
			"</td><td>joined ", since, "</td></tr>");
	}
	return rc;
}

static int put_waiting(const struct hub *h, struct buf *out)
{
	struct coord_pending_view p;
	bool none = !coord_pending_next(h->tailnet, NULL, &p) && !hub_waiting(h);
	int rc = buf_append_str(out, none ? "<h2>Devices that wait</h2><p>None.</p>"
					  : "<h2>Devices that wait</h2><table>");

	if (rc == 0 && !none)
		rc = put_logins(h, out);
	if (rc == 0 && !none)
		rc = put_unapproved(h, out);
	return rc < 0 || none ? rc : buf_append_str(out, "</table>");
}

static int put_logout(const struct hub_login *login, struct buf *out)
{
	return PUT(out,
		"<form method=\"post\" action=\"/logout\"><input type=\"hidden\" name=\"csrf\" value=\"",
		login->csrf, "\"><button>Log out</button></form>");
}

/* What a Debian machine without our programs needs first. */
static int put_packages(const struct hub *h, struct buf *out)
{
	const char *name;
	int rc =
		packages_name(h->packages, 0)
			? buf_append_str(out,
				  "<p>A Debian machine that does not have <code>warren</code> yet enters first:</p>")
			: 0;

	for (size_t i = 0; rc == 0 && (name = packages_name(h->packages, i)); i++)
		rc = PUT(out, "<pre>wget ", h->url_text, "/packages/", name,
			"\nsudo apt install ./", name, "</pre>");
	return rc;
}

int page_landing(const struct hub *h, const struct hub_login *login, struct buf *out)
{
	int rc = begin(out, "A private network");

	if (rc == 0)
		rc = PUT(out,
			"<p>This is the hub of a private network. A device joins with</p><pre>sudo warren up --login-server=",
			h->url_text,
			"</pre><p>or, with the official client,</p><pre>tailscale up --login-server=",
			h->url_text,
			"</pre><p>On a phone, install the Tailscale app and enter this page's address as the alternate server.</p>");
	if (rc == 0)
		rc = put_packages(h, out);
	if (rc == 0 && login)
		rc = put_waiting(h, out);
	if (rc == 0 && login)
		rc = put_logout(login, out);
	return rc < 0 ? rc : end(out);
}

/* Where a client sends people whose device waits. Strangers are not told which devices there are. */
int page_admin(const struct hub *h, const struct hub_login *login, struct buf *out)
{
	int rc = begin(out, "Administration");

	if (rc == 0 && !login)
		rc = PUT(out,
			"<p>If your device waits for approval, an admin lets it in. On the hub, this shows what waits, and lets one in:</p>"
			"<pre>warren-hub nodes pending\nwarren-hub nodes approve NAME</pre>"
			"<p>To do it in this browser, open the link that this prints:</p><pre>warren-hub login --next /admin</pre>");
	if (rc == 0 && login)
		rc = put_waiting(h, out);
	if (rc == 0 && login)
		rc = put_logout(login, out);
	return rc < 0 ? rc : end(out);
}

static int put_tags(const struct json_list *tags, struct buf *out)
{
	int rc = tags->n ? buf_append_str(out,
				   "<p>It asks for these tags, and gets them when it is let in: ")
			 : 0;

	for (size_t i = 0; i < tags->n && rc == 0; i++)
		rc = PUT(out, "<code>", *JSON_AT(*tags, const char *, i), "</code> ");
	return rc == 0 && tags->n ? buf_append_str(out, "</p>") : rc;
}

static int put_device(const struct hub *h, const struct coord_pending_view *p, struct buf *out)
{
	char from[IPADDR_TEXT_MAX], created[TIME_WORDS_MAX];

	time_format_long(p->created, loop_now(h->loop).wall, created);
	return PUT(out, "<table><tr><th>Code</th><td><code>", p->code,
		"</code></td></tr><tr><th>Name</th><td>",
		*p->hostname ? p->hostname : "(none given)", "</td></tr><tr><th>System</th><td>",
		*p->os ? p->os : "(unknown)", "</td></tr><tr><th>From</th><td>",
		p->from.ip.family ? ipaddr_format(p->from.ip, from) : "(unknown)",
		"</td></tr><tr><th>Asked</th><td>", created, "</td></tr></table>");
}

static int put_grant(const struct coord_grant *g, struct buf *out)
{
	int rc = buf_append_str(out, "<p>What it gets when it is let in:</p><table>");

	for (size_t i = 0; i < g->lines.n && rc == 0; i++) {
		const struct coord_grant_line *l = JSON_AT(g->lines, struct coord_grant_line, i);

		rc = PUT(out, "<tr><th>", l->label, "</th><td>", l->value, "</td></tr>");
	}
	return rc < 0 ? rc : buf_append_str(out, "</table>");
}

/* Whose is it to be? What that gives is shown before it is given. */
static int put_user_choice(const struct hub *h, const struct coord_pending_view *p,
	const struct coord_user *user, struct buf *out)
{
	const struct coord_user *first = coord_user_next(h->tailnet, NULL);
	int rc;

	if (!coord_user_next(h->tailnet, first))
		return 0;
	rc = PUT(out, "<form method=\"get\" action=\"/register/", p->code,
		"\"><label>Owner: <select name=\"user\">");
	for (const struct coord_user *u = first; u && rc == 0; u = coord_user_next(h->tailnet, u))
		rc = PUT(out, u == user ? "<option selected>" : "<option>", u->name, "</option>");
	return rc < 0 ? rc
		      : buf_append_str(out,
				"</select></label> <button>Show as this owner's</button></form>");
}

static int put_approval(const struct coord_pending_view *p, const struct hub_login *login,
	const struct coord_grant *g, const struct coord_user *user, struct buf *out)
{
	return PUT(out, "<form method=\"post\" action=\"/register/", p->code,
		"\"><input type=\"hidden\" name=\"csrf\" value=\"", login->csrf,
		"\"><input type=\"hidden\" name=\"user\" value=\"", user->name,
		"\"><input type=\"hidden\" name=\"digest\" value=\"", g->digest,
		"\"><button>Let it in</button></form>");
}

int page_register(const struct hub *h, const struct coord_pending_view *p,
	const struct hub_login *login, const struct coord_grant *g, const struct coord_user *user,
	struct buf *out)
{
	int rc = begin(out, "A device asks to join");

	if (rc == 0)
		rc = put_device(h, p, out);
	if (rc == 0 && !g)
		rc = put_tags(&p->tags, out);
	if (rc == 0 && g) {
		rc = put_grant(g, out);
		if (rc == 0)
			rc = put_user_choice(h, p, user, out);
		if (rc == 0)
			rc = put_approval(p, login, g, user, out);
	} else if (rc == 0) {
		rc = PUT(out,
			"<p>If this is your device, an admin lets it in. On the hub:</p><pre>warren-hub nodes approve ",
			p->code,
			"</pre><p>or, to do it in this browser, open the link that this prints:</p><pre>warren-hub login --next /register/",
			p->code, "</pre>");
	}
	return rc < 0 ? rc : end(out);
}

int page_device(const struct coord_node_doc *d, const struct hub_login *login,
	const struct coord_grant *g, struct buf *out)
{
	char id[24];
	int rc = begin(out, "A device waits");

	snprintf(id, sizeof(id), "%lld", (long long)d->id);
	if (rc == 0)
		rc = put_grant(g, out);
	if (rc == 0)
		rc = PUT(out,
			"<form method=\"post\" action=\"/admin/approve\"><input type=\"hidden\" name=\"csrf\" value=\"",
			login->csrf, "\"><input type=\"hidden\" name=\"node\" value=\"", id,
			"\"><input type=\"hidden\" name=\"digest\" value=\"", g->digest,
			"\"><button>Let it in</button></form>");
	return rc < 0 ? rc : end(out);
}

int page_login(const struct hub *h, const char *token, struct buf *out)
{
	int rc = begin(out, "Log in");

	(void)h;
	if (rc == 0)
		rc = PUT(out,
			"<p>This link works once and logs this browser in at the hub for 12 hours.</p>"
			"<form method=\"post\" action=\"/login/",
			token, "\"><button>Log in</button></form>");
	return rc < 0 ? rc : end(out);
}
