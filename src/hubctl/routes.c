#include "hubctl/internal.h"

#include <stdio.h>
#include <stdlib.h>

int cmd_routes_list(struct cmd *c)
{
	struct json_list l;
	struct table t;
	bool done;
	int rc = cmd_ask(c, "GET", "/routes", NULL);

	if (rc == 0)
		rc = cmd_answer(c, &admin_route_list, &l, &done);
	if (rc || done)
		return rc;
	HEAD(&t, c, "=DEVICE", "=NAME", "=PREFIX", "STATE", "APPROVED BY", "OWN PREFIX");
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct admin_route *r = JSON_AT(l, struct admin_route, i);
		char prefix[IPPREFIX_TEXT_MAX];

		rc = TABLE_ROW(&t, cmd_number(c, r->node), r->name,
			arena_strdup(&c->mem, ipprefix_format(r->prefix, prefix)),
			cmd_route_state(r), r->by ? r->by : "-", r->own ? r->own : "-");
	}
	return cmd_print(&t, rc);
}

static int change_route(struct cmd *c, const char *verb, const char *said)
{
	struct admin_request req = { .author = cmd_author(c) };
	const char *text = c->o->word[3];
	struct ipprefix p;
	char path[64];
	int64_t id = 0;
	int rc;

	if (ipprefix_parse(text, strlen(text), &p) < 0)
		return cmd_fail(
			"\"%s\" is not a prefix; write it as 10.1.0.0/16, or 0.0.0.0/0 and ::/0 for an exit node",
			text);
	req.prefixes = json_list_of(&p, 1);
	rc = cmd_resolve_node(c, c->o->word[2], &id);
	snprintf(path, sizeof(path), "/nodes/%lld/routes/%s", (long long)id, verb);
	return rc ? rc : cmd_change(c, &req, path, said);
}

int cmd_route_approve(struct cmd *c)
{
	return change_route(c, "approve", "Approved: the device may carry it.");
}

int cmd_route_unapprove(struct cmd *c)
{
	return change_route(c, "unapprove", "Not approved any more.");
}

static int show_own_prefixes(struct cmd *c)
{
	struct admin_own_prefixes own;
	bool done;
	int rc = cmd_answer(c, &admin_own_prefixes_type, &own, &done);

	if (rc || done)
		return rc;
	for (size_t i = 0; i < own.prefixes.n; i++) {
		char text[IPPREFIX_TEXT_MAX];

		printf("%s\n", ipprefix_format(*JSON_AT(own.prefixes, struct ipprefix, i), text));
	}
	printf("Devices that offer one without approval: %s.\n",
		!strcmp(own.mode, "show")         ? "shown in \"routes list\", no more (show)"
		: !strcmp(own.mode, "quarantine") ? "see nobody and are seen by nobody (quarantine)"
						  : "are not let in (refuse)");
	return 0;
}

int cmd_own_prefixes(struct cmd *c)
{
	int rc = cmd_ask(c, "GET", "/own-prefixes", NULL);

	return rc ? rc : show_own_prefixes(c);
}

static int set_own_prefixes(struct cmd *c, const struct admin_request *req)
{
	int rc = cmd_ask(c, "POST", "/own-prefixes", req);

	return rc ? rc : show_own_prefixes(c);
}

int cmd_own_prefixes_set(struct cmd *c)
{
	struct admin_request req = { .mode = c->o->mode };
	struct ipprefix v[HUB_WORDS_MAX];
	size_t n = 0;

	for (size_t i = 2; i < c->o->n_words; i++)
		if (ipprefix_parse(c->o->word[i], strlen(c->o->word[i]), &v[n++]) < 0)
			return cmd_fail(
				"\"%s\" is not a prefix; write it as 10.0.0.0/8", c->o->word[i]);
	if (!n && !req.mode)
		return cmd_fail("name prefixes, or --mode; \"own-prefixes clear\" takes all away");
	if (n)
		req.prefixes = json_list_of(v, n);
	return set_own_prefixes(c, &req);
}

int cmd_own_prefixes_clear(struct cmd *c)
{
	struct admin_request req = { .prefixes.present = true };

	return set_own_prefixes(c, &req);
}
