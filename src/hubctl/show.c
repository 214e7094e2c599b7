/* Texts of what answers say. */
#include "hubctl/internal.h"

#include <stdio.h>
#include <time.h>

const char *cmd_time(struct cmd *c, unix_ms t)
{
	time_t s = t / 1000;
	char text[32];
	struct tm tm;

	if (!t || !localtime_r(&s, &tm))
		return "-";
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
	return arena_strdup(&c->mem, text);
}

const char *cmd_ago(struct cmd *c, unix_ms t)
{
	char text[TIME_WORDS_MAX];

	time_format_short(t, (unix_ms)time(NULL) * 1000, text);
	return arena_strdup(&c->mem, text);
}

const char *cmd_join(struct cmd *c, const struct json_list *l)
{
	const char *s = "";

	for (size_t i = 0; i < l->n && s; i++)
		s = arena_printf(&c->mem, "%s%s%s", s, i ? "," : "", *JSON_AT(*l, const char *, i));
	return s;
}

const char *cmd_number(struct cmd *c, int64_t n)
{
	return arena_printf(&c->mem, "%lld", (long long)n);
}

const char *cmd_count(struct cmd *c, int64_t n, const char *what)
{
	return arena_printf(&c->mem, "%lld %s%s", (long long)n, what, n == 1 ? "" : "s");
}

int cmd_print(const struct table *t, int rc)
{
	if (rc < 0)
		return cmd_fail("%s", err_text(rc));
	table_print(t, stdout, term_width());
	return 0;
}

const char *cmd_route_state(const struct admin_route *r)
{
	return r->quarantined                ? "quarantined"
	       : !r->approved                ? "not approved"
	       : r->nobodys                  ? "offered by nobody"
	       : !r->advertised              ? "not offered"
	       : !r->online                  ? "offline"
	       : r->primary                  ? "primary"
	       : r->in_use && r->prefix.bits ? "standby"
					     : "in use";
}
