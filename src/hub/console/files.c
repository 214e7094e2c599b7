/*
 * The console's files. They lie in the program (pages of it that nobody asks for are never read) and are compressed when they are
 * built. Every address of the console is the one page, which looks at its own address; what the page names has the tag of its content
 * in its path, so that it may be kept for ever.
 */
#include "hub/console/console.h"
#include "hub/console/internal.h"
#include "hub/state/state.h"

#include <stdio.h>

static const char policy[] =
	"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
	"img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
	"require-trusted-types-for 'script'; trusted-types 'none'\r\n";

static const struct console_file *find(struct view name)
{
	for (size_t i = 0; i < CONSOLE_FILES; i++)
		if (view_eq(name, view_of(console_blob[i].name, strlen(console_blob[i].name))))
			return &console_blob[i];
	return NULL;
}

static const char *type_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	return !strcmp(dot, ".js")    ? "text/javascript; charset=utf-8"
	       : !strcmp(dot, ".css") ? "text/css; charset=utf-8"
				      : "text/html; charset=utf-8";
}

/* Browsers list what they take without weights; "br;q=0" says no. */
static bool takes(const struct http_request *q, const char *coding)
{
	struct view v = http1_find(q->head, "Accept-Encoding");
	size_t n = strlen(coding);
	const uint8_t *at = v.len ? memmem(v.p, v.len, coding, n) : NULL;
	size_t left = at ? v.len - (size_t)(at - v.p) - n : 0;

	return at && !(left >= 4 && !memcmp(at + n, ";q=0", 4) && (left == 4 || at[n + 4] != '.'));
}

static bool has_it(const struct http_request *q, const struct console_file *f)
{
	struct view v = http1_find(q->head, "If-None-Match");

	return v.len && memmem(v.p, v.len, f->tag, strlen(f->tag));
}

static int answer(struct http_request *q, const struct console_file *f, bool kept)
{
	bool br = takes(q, "br"), gz = !br && takes(q, "gzip");
	char extra[1024];

	hub_of(q)->n.pages++;
	snprintf(extra, sizeof(extra),
		"%sX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Opener-Policy: same-origin\r\n"
		"Cross-Origin-Resource-Policy: same-origin\r\nVary: Accept-Encoding\r\nETag: \"%s\"\r\nCache-Control: %s\r\n%s",
		policy, f->tag, kept ? "public, max-age=31536000, immutable" : "no-cache",
		has_it(q, f) ? ""
		: br         ? "Content-Encoding: br\r\n"
		: gz         ? "Content-Encoding: gzip\r\n"
			     : "");
	if (has_it(q, f))
		return http_reply_send(q->reply, 304, NULL, extra, view_of("", 0));
	return http_reply_send_static(q->reply, type_of(f->name), extra,
		br   ? f->br
		: gz ? f->gz
		     : f->plain);
}

static int on_page(struct http_request *q)
{
	return answer(q, find(VIEW_LIT("index.html")), false);
}

static int on_asset(struct http_request *q)
{
	const struct console_file *f = find(http_request_param(q, "name"));
	struct view tag = http_request_param(q, "tag");

	if (!f)
		return http_reply_refuse_text(q->reply, 404, "no such file\n");
	return answer(q, f, view_eq(tag, view_of(f->tag, strlen(f->tag))));
}

static const struct http_route routes[] = {
	{ "GET", "/console", 0, .fn = on_page },
	{ "GET", "/console/assets/{tag}/{name}", 0, .fn = on_asset },
	{ "GET", "/console/{page...}", 0, .fn = on_page },
};
const struct router console_files = { ROUTER_TABLE(routes) };
