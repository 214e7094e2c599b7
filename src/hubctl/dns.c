/* dns: how devices resolve names. */
#include "base/text/text.h"
#include "hubctl/internal.h"
#include "hubctl/zone.h"
#include "os/file/file.h"

#include <stdio.h>
#include <string.h>

/* What the hub answers to each question and change. */
static int get(struct cmd *c, struct admin_dns *d, bool *ret_done)
{
	int rc = cmd_ask(c, "GET", "/dns", NULL);

	return rc ? rc : cmd_answer(c, &admin_dns_type, d, ret_done);
}

static const char *resolvers_text(struct cmd *c, const struct json_list *l)
{
	const char *s = "";

	for (size_t i = 0; i < l->n && s; i++) {
		const struct tc_resolver *r = JSON_AT(*l, struct tc_resolver, i);

		s = arena_printf(&c->mem, "%s%s%s%s", s, i ? ", " : "", r->addr,
			r->use_with_exit_node ? " (also with an exit node)" : "");
	}
	return s;
}

static void print_status(struct cmd *c, const struct admin_dns *d)
{
	if (d->magic)
		printf("Devices      answer to NAME and NAME.%s%s\n", d->base_domain,
			d->wildcard ? ", and to every name below" : "");
	else
		printf("Devices      answer to NAME.%s only: magic is off\n", d->base_domain);
	printf("Resolvers    %s\n",
		!d->nameservers.n ? "none: devices use their own"
		: d->override     ? arena_printf(&c->mem, "%s, instead of the devices' own",
					    resolvers_text(c, &d->nameservers))
				  : arena_printf(&c->mem, "%s, for devices without their own",
					    resolvers_text(c, &d->nameservers)));
	printf("Split        %s\n",
		d->splits.n ? cmd_count(c, (int64_t)d->splits.n, "domain") : "none");
	printf("Search       %s%s%s\n", d->base_domain, d->search.n ? "," : "",
		cmd_join(c, &d->search));
	printf("Records      %s\n",
		d->records.n ? cmd_count(c, (int64_t)d->records.n, "record") : "none");
	printf("Certificates %s\n", d->certificates ? "on" : "off");
	for (size_t i = 0; i < d->notes.n; i++)
		printf("Note: %s.\n", *JSON_AT(d->notes, const char *, i));
}

int cmd_dns_status(struct cmd *c)
{
	struct admin_dns d;
	bool done;
	int rc = get(c, &d, &done);

	if (rc == 0 && !done)
		print_status(c, &d);
	return rc;
}

/* ---- nameservers and split ---- */

static int add_resolver(
	struct cmd *c, struct table *t, const char *suffix, const struct tc_resolver *r)
{
	const char *at = "-";

	for (size_t i = 0; i < r->bootstrap.n; i++) {
		char text[IPADDR_TEXT_MAX];

		ipaddr_format(*JSON_AT(r->bootstrap, struct ipaddr, i), text);
		at = i ? arena_printf(&c->mem, "%s,%s", at, text) : arena_strdup(&c->mem, text);
	}
	return suffix ? TABLE_ROW(t, suffix, r->addr, r->use_with_exit_node ? "yes" : "no", at)
		      : TABLE_ROW(t, r->addr, r->use_with_exit_node ? "yes" : "no", at);
}

static int show_nameservers(struct cmd *c, const struct admin_dns *d)
{
	struct table t;
	int rc = 0;

	if (!d->nameservers.n) {
		printf("None: devices use their own resolvers. \"dns nameservers add 9.9.9.9\" adds one.\n");
		return 0;
	}
	HEAD(&t, c, "=RESOLVER", "WITH EXIT NODE", "AT");
	for (size_t i = 0; i < d->nameservers.n && rc == 0; i++)
		rc = add_resolver(c, &t, NULL, JSON_AT(d->nameservers, struct tc_resolver, i));
	return cmd_print(&t, rc);
}

static int show_split(struct cmd *c, const struct admin_dns *d)
{
	struct table t;
	int rc = 0;

	if (!d->splits.n) {
		printf("None. \"dns split set corp.example 10.0.0.53\" adds one.\n");
		return 0;
	}
	HEAD(&t, c, "=DOMAIN", "=RESOLVER", "WITH EXIT NODE", "AT");
	for (size_t i = 0; i < d->splits.n && rc == 0; i++) {
		const struct coord_dns_split *s = JSON_AT(d->splits, struct coord_dns_split, i);

		if (!s->resolvers.n)
			rc = TABLE_ROW(&t, s->suffix, "none: records only", "-", "-");
		for (size_t k = 0; k < s->resolvers.n && rc == 0; k++)
			rc = add_resolver(
				c, &t, s->suffix, JSON_AT(s->resolvers, struct tc_resolver, k));
	}
	return cmd_print(&t, rc);
}

static int show_search(struct cmd *c, const struct admin_dns *d)
{
	(void)c;
	printf("%s\n", d->base_domain);
	for (size_t i = 0; i < d->search.n; i++)
		printf("%s\n", *JSON_AT(d->search, const char *, i));
	return 0;
}

static int show_records(struct cmd *c, const struct admin_dns *d)
{
	struct table t;
	int rc = 0;

	if (!d->records.n) {
		printf("None. \"dns records add printer.corp.example 10.0.0.9\" adds one.\n");
		return 0;
	}
	HEAD(&t, c, "=NAME", "=TYPE", "=VALUE");
	for (size_t i = 0; i < d->records.n && rc == 0; i++) {
		const struct tc_dns_record *r = JSON_AT(d->records, struct tc_dns_record, i);

		rc = TABLE_ROW(&t, r->name, r->type, r->value);
	}
	return cmd_print(&t, rc);
}

/* The part of the settings that a command is about. */
static const struct part {
	const char *name;
	int (*show)(struct cmd *c, const struct admin_dns *d);
} parts[] = { { "nameservers", show_nameservers }, { "split", show_split },
	{ "search", show_search }, { "records", show_records } };

static int show_part(struct cmd *c, const struct admin_dns *d)
{
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (!strcmp(parts[i].name, c->o->word[1]))
			return parts[i].show(c, d);
	print_status(c, d);
	return 0;
}

int cmd_dns_list(struct cmd *c)
{
	struct admin_dns d;
	bool done;
	int rc = get(c, &d, &done);

	return rc || done ? rc : show_part(c, &d);
}

/* ---- changes ---- */

/* Sends it, and shows what is so now. */
static int change(struct cmd *c, const char *path, const struct admin_request *req)
{
	struct admin_dns d;
	bool done;
	int rc = cmd_ask(c, "POST", path, req);

	if (rc == 0)
		rc = cmd_answer(c, &admin_dns_type, &d, &done);
	return rc || done ? rc : show_part(c, &d);
}

static int addresses(struct cmd *c, struct json_list *ret)
{
	char *rest = c->o->at ? arena_strdup(&c->mem, c->o->at) : NULL, *text;

	*ret = (struct json_list){ 0 };
	while (rest && (text = strsep(&rest, ","))) {
		struct ipaddr *ip = json_list_add(ret, &c->mem, sizeof(*ip));

		if (!ip || ipaddr_parse(text, strlen(text), ip) < 0)
			return cmd_fail(
				"--at \"%s\": write addresses, as 10.0.0.53,fd00::53", text);
	}
	return 0;
}

/* "dns PART VERB [NAME] VALUE...": first is the word where values begin. */
static int change_part(struct cmd *c, const char *verb, size_t first)
{
	struct admin_request req = { .with_exit_node = c->o->with_exit_node };
	char path[64];
	int rc = addresses(c, &req.at);

	if (rc)
		return rc;
	if (first == 4)
		req.name = c->o->word[3];
	if (c->o->n_words > first)
		req.values = json_list_of(
			(void *)(uintptr_t)(c->o->word + first), c->o->n_words - first);
	snprintf(path, sizeof(path), "/dns/%s/%s", c->o->word[1], verb);
	return change(c, path, &req);
}

int cmd_dns_change(struct cmd *c)
{
	const char *verb = c->o->word[2];

	return change_part(c, strcmp(verb, "clear") ? verb : "set", 3);
}

int cmd_dns_change_split(struct cmd *c)
{
	return change_part(c, c->o->word[2], 4);
}

/* "NAME [TYPE] ADDRESS...": a word that is not an address is the type. */
int cmd_dns_change_records(struct cmd *c)
{
	struct admin_request req = { .name = c->o->word[3] };
	const char *second = c->o->n_words > 4 ? c->o->word[4] : NULL;
	size_t first = 4;
	struct ipaddr ip;
	char path[64];

	if (second && ipaddr_parse(second, strlen(second), &ip) < 0 &&
		strspn(second, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") ==
			strlen(second)) {
		req.type = second;
		first = 5;
	}
	if (c->o->n_words > first)
		req.values = json_list_of(
			(void *)(uintptr_t)(c->o->word + first), c->o->n_words - first);
	else if (!strcmp(c->o->word[2], "add"))
		return cmd_fail("which address has %s? Write \"dns records add %s 10.0.0.9\"",
			req.name, req.name);
	snprintf(path, sizeof(path), "/dns/records/%s", c->o->word[2]);
	return change(c, path, &req);
}

/* ---- import ---- */

static int read_zone(struct cmd *c, const char *file, struct zone *z)
{
	const char *what = strcmp(file, "-") != 0 ? file : "standard input";
	struct buf b;
	int rc;

	buf_init(&b, ZONE_TEXT_MAX);
	rc = strcmp(file, "-") != 0 ? file_read(file, &b) : cmd_read_stdin(&b);
	if (rc < 0)
		rc = cmd_fail("%s: %s", what,
			rc == -ERR_TOO_BIG ? "a zone file has at most 1 MiB" : err_text(rc));
	else
		rc = zone_read(buf_view(&b), &c->mem, z);
	buf_fini(&b);
	if (rc == -ERR_BAD_FORMAT)
		return cmd_fail("%s:%u: %s. Nothing was changed.", what, z->line, z->why);
	return rc < 0 ? cmd_fail("%s: %s", what, err_text(rc)) : rc;
}

/* As the hub keeps it. */
static bool has_record(const struct json_list *l, const struct tc_dns_record *r, const char *value)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct tc_dns_record *there = JSON_AT(*l, struct tc_dns_record, i);

		if (text_ieq(there->name, strlen(there->name), r->name, strlen(r->name)) &&
			!strcmp(there->value, value))
			return true;
	}
	return false;
}

/* Of the zone's records those that the hub does not have yet, once each: "NAME ADDRESS", and as records. */
static int new_records(struct cmd *c, const struct zone *z, const struct admin_dns *d,
	struct json_list *ret, struct json_list *records)
{
	for (size_t i = 0; i < z->records.n; i++) {
		struct tc_dns_record r = *JSON_AT(z->records, struct tc_dns_record, i), *copy;
		char text[IPADDR_TEXT_MAX];
		struct ipaddr ip;
		const char **value;

		if (ipaddr_parse(r.value, strlen(r.value), &ip) < 0)
			continue; /* the zone has none such */
		r.value = arena_strdup(&c->mem, ipaddr_format(ip, text));
		if (r.value &&
			(has_record(&d->records, &r, r.value) || has_record(records, &r, r.value)))
			continue;
		value = json_list_add(ret, &c->mem, sizeof(*value));
		copy = json_list_add(records, &c->mem, sizeof(*copy));
		if (!value || !copy || !r.value)
			return cmd_fail("out of memory");
		*copy = r;
		*value = arena_printf(&c->mem, "%s %s", r.name, r.value);
		if (!*value)
			return cmd_fail("out of memory");
	}
	return 0;
}

static void say_left_out(struct cmd *c, const struct zone *z, const struct json_list *new)
{
	if (z->records.n > new->n)
		printf("%s there already.\n",
			cmd_count(c, (int64_t)(z->records.n - new->n), "record"));
	if (z->n_left_out)
		printf("%s not of an address: devices take A and AAAA only.\n",
			cmd_count(c, (int64_t)z->n_left_out, "line"));
}

int cmd_dns_import(struct cmd *c)
{
	struct admin_request req = { 0 };
	struct admin_dns d, new = { .records.present = true };
	struct zone z;
	int rc = read_zone(c, c->o->word[3], &z);

	if (rc == 0)
		rc = cmd_ask(c, "GET", "/dns", NULL);
	if (rc)
		return rc;
	if (!cmd_decode(c, &admin_dns_type, &d))
		return cmd_fail("the hub's answer is not understood: is it of another version?");
	rc = new_records(c, &z, &d, &req.values, &new.records);
	if (rc)
		return rc;
	if (!c->o->json)
		say_left_out(c, &z, &req.values);
	if (c->o->dry_run && c->o->json)
		return cmd_print_doc(&admin_dns_type, &new);
	if (c->o->dry_run && new.records.n) {
		rc = show_records(c, &new);
		printf("\nNothing was changed. Without --dry-run these are added.\n");
		return rc;
	}
	if (!req.values.n) {
		if (c->o->json)
			cmd_print_json(c);
		else
			printf("Nothing to add.\n");
		return 0;
	}
	return change(c, "/dns/records/add", &req);
}

int cmd_dns_switch(struct cmd *c)
{
	const struct admin_request none = { 0 };
	const char *word = c->o->word[2];
	char path[64];

	if (strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
		return cmd_fail("%s is on or off, not \"%s\"", c->o->word[1], word);
	snprintf(path, sizeof(path), "/dns/switch/%s/%s", c->o->word[1], word);
	return change(c, path, &none);
}

/* ---- preview ---- */

static void print_preview(struct cmd *c, const struct admin_dns_preview *p)
{
	const char *asked = resolvers_text(c, &p->nameservers), *how = p->answers;

	if (!strcmp(how, "device"))
		printf("%s is the device %s: %s\n", p->name, p->device, cmd_join(c, &p->addresses));
	else if (!strcmp(how, "records"))
		printf("%s has a record: %s\n", p->name, cmd_join(c, &p->addresses));
	else if (!strcmp(how, "split"))
		printf("%s: asked of %s, because of %s\n", p->name, asked, p->suffix);
	else if (!strcmp(how, "global"))
		printf("%s: asked of %s\n", p->name, asked);
	else if (!strcmp(how, "system"))
		printf("%s: asked of the device's own resolvers%s%s\n", p->name,
			*asked ? ", and without any of " : "", asked);
	else
		printf("%s: there is no such name in %s%s\n", p->name, p->suffix,
			p->hidden ? " for this device: the policy hides it" : "");
}

int cmd_dns_preview(struct cmd *c)
{
	struct admin_request req = { .name = c->o->word[2],
		.src = c->o->n_words > 3 ? c->o->word[3] : NULL };
	struct admin_dns_preview p;
	bool done;
	int rc = cmd_ask(c, "POST", "/dns/preview", &req);

	if (rc == 0)
		rc = cmd_answer(c, &admin_dns_preview_type, &p, &done);
	if (rc == 0 && !done)
		print_preview(c, &p);
	return rc;
}
