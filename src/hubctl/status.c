/* status and login: how the hub is, its limits, and a link to its pages. */
#include "hubctl/internal.h"
#include "term/qr.h"

#include <stdio.h>
#include <string.h>

/* ---- status --limits ---- */

/* "12.3 MB", or a number of something else. */
static const char *amount(struct cmd *c, const struct admin_limit *l, int64_t n)
{
	bool bytes = !strcmp(l->of, "memory");

	if (n < 0)
		return "-";
	if (!bytes)
		return cmd_number(c, n);
	return arena_printf(&c->mem, "%lld.%lld MB", (long long)(n >> 20),
		(long long)((n & 0xfffff) * 10 >> 20));
}

static int add_sum(struct cmd *c, struct table *t, const char *of, int64_t sum, int64_t max)
{
	const struct admin_limit l = { .of = of };

	return TABLE_ROW(t, of, "all together", "", amount(c, &l, sum),
		max ? arena_printf(&c->mem, "of %s", amount(c, &l, max)) : "");
}

static int show_limits(struct cmd *c)
{
	struct admin_limits a;
	struct table t;
	bool done;
	int rc = cmd_ask(c, "GET", "/limits", NULL);

	if (rc == 0)
		rc = cmd_answer(c, &admin_limits_type, &a, &done);
	if (rc || done)
		return rc;
	HEAD(&t, c, "=OF", "WHAT", "=NOW", "=AT MOST", "WHEN IT IS REACHED");
	for (size_t i = 0; i < a.limits.n && rc == 0; i++) {
		const struct admin_limit *l = JSON_AT(a.limits, struct admin_limit, i);

		rc = TABLE_ROW(&t, l->of, l->what, amount(c, l, l->now), amount(c, l, l->max),
			l->counter ? l->counter : "");
	}
	if (rc == 0)
		rc = add_sum(c, &t, "memory", a.memory_sum, a.memory_max);
	if (rc == 0)
		rc = add_sum(c, &t, "descriptors", a.descriptors_sum, a.descriptors_max);
	if (rc == 0)
		rc = add_sum(c, &t, "tasks", a.tasks_sum, a.tasks_max);
	rc = cmd_print(&t, rc);
	if (rc == 0)
		printf("Memory: %s.\n", a.memory_from);
	return rc;
}

/* ---- status ---- */

int cmd_status(struct cmd *c)
{
	struct admin_status s;
	char up[TIME_WORDS_MAX];
	bool done;
	int rc;

	if (c->o->limits)
		return show_limits(c);
	rc = cmd_ask(c, "GET", "/status", NULL);
	if (rc == 0)
		rc = cmd_answer(c, &admin_status_type, &s, &done);
	if (rc || done)
		return rc;
	time_format_span(s.uptime_s, up);
	printf("Hub       %s (warren-hub %s), up for %s\n", s.url, s.version, up);
	printf("Devices   %lld, %lld online; names end in .%s\n", (long long)s.nodes,
		(long long)s.online, s.base_domain);
	if (s.store_fault)
		printf("Warning   %s\n", s.store_fault);
	if (s.duplicates)
		printf("Warning   %lld devices run twice, with copies of their state: \"warren-hub nodes list\" names them\n",
			(long long)s.duplicates);
	if (s.pending)
		printf("Waiting   %s for approval: warren-hub nodes pending\n",
			cmd_count(c, s.pending, "device"));
	printf("Users     %lld; auth keys %lld\n", (long long)s.users, (long long)s.keys);
	printf("Relay     %s, %s; STUN %s\n", s.relay ? s.relay : "off",
		cmd_count(c, s.relay_clients, "client"), s.stun ? s.stun : "off");
	if (s.cert_expires) {
		char until[TIME_RFC3339_MAX];

		time_format_rfc3339(s.cert_expires, until);
		printf("Certificate %s%suntil %.10s\n", s.cert_fault ? s.cert_fault : "",
			s.cert_fault ? "; " : "", until);
	}
	if (c->o->qr)
		return qr_print(s.url, QR_PAPER, stdout) < 0
			       ? cmd_fail("the URL does not fit into a picture")
			       : 0;
	return 0;
}

static int print_link(struct cmd *c, const char *next, bool picture)
{
	struct admin_request req = { .next = next, .user = c->o->user };
	struct admin_link l;
	bool done;
	int rc = cmd_ask(c, "POST", "/login", &req);

	if (rc == 0)
		rc = cmd_answer(c, &admin_link_type, &l, &done);
	if (rc || done)
		return rc;
	printf("Open this in a browser within ten minutes; it works once:\n\n  %s\n\n", l.url);
	if (picture)
		return qr_print(l.url, QR_PAPER, stdout) < 0
			       ? cmd_fail("this link does not fit into a picture")
			       : 0;
	return 0;
}

int cmd_login(struct cmd *c)
{
	return print_link(c, c->o->next, c->o->qr);
}

int cmd_console(struct cmd *c)
{
	return print_link(c, c->o->next ? c->o->next : "/console", true);
}
