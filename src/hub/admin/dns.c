/* How devices resolve names: the settings, each change of them, and what becomes of a question. Every change is answered with all. */
#include "hub/admin/internal.h"

#include <errno.h>

enum { WORD_MAX = 32 };

int admin_dns(struct http_request *q)
{
	struct admin_call *c = q->call;
	const struct coord_dns *d = coord_dns(c->hub->tailnet);
	struct admin_dns doc = { .base_domain = c->hub->o->base_domain,
		.nameservers = d->resolvers,
		.splits = d->splits,
		.search = d->search,
		.records = d->records,
		.magic = !d->magic_off,
		.override = !d->override_off,
		.wildcard = d->wildcard,
		.certificates = d->certificates };
	int rc = coord_dns_notes(c->hub->tailnet, c->mem, &doc.notes);

	doc.nameservers.present = doc.splits.present = doc.search.present = doc.records.present =
		true;
	return rc < 0 ? rc : admin_reply(c, &admin_dns_type, &doc);
}

/* A copy that may be changed. */
static int copy(struct admin_call *c, struct coord_dns *ret)
{
	return coord_dns_copy(coord_dns(c->hub->tailnet), c->mem, ret);
}

static int take(struct admin_call *c, const struct coord_dns *d, int rc, struct err_at *at)
{
	if (rc == 0)
		rc = coord_dns_set(c->hub->tailnet, d, c->now, at);
	if (rc < 0)
		return at->text[0] ? admin_say(c, rc, "%s", at->text) : rc;
	return admin_dns(c->q);
}

/* The last part of the path. */
static int verb_of(struct admin_call *c, enum coord_dns_verb *ret)
{
	static const char *const verbs[] = {
		[COORD_DNS_ADD] = "add", [COORD_DNS_REMOVE] = "remove", [COORD_DNS_SET] = "set"
	};
	char word[WORD_MAX];

	http_request_text(c->q, "verb", word, sizeof(word));
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(verbs[i], word)) {
			*ret = (enum coord_dns_verb)i;
			return 0;
		}
	return admin_say(c, -ENOENT, "\"%s\" is nothing to do: add, remove or set", word);
}

static int resolvers_of(struct admin_call *c, struct json_list *ret)
{
	struct tc_resolver *v = arena_array(c->mem, c->req.values.n, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < c->req.values.n; i++)
		v[i] = (struct tc_resolver){ .addr = *JSON_AT(c->req.values, const char *, i),
			.bootstrap = c->req.at,
			.use_with_exit_node = c->req.with_exit_node };
	*ret = json_list_of(v, c->req.values.n);
	return 0;
}

static int edit_nameservers(
	struct admin_call *c, enum coord_dns_verb verb, struct coord_dns *d, struct err_at *at)
{
	struct json_list l;
	int rc = resolvers_of(c, &l);

	return rc < 0 ? rc : coord_dns_edit_resolvers(d, verb, &l, c->mem, at);
}

static int edit_split(
	struct admin_call *c, enum coord_dns_verb verb, struct coord_dns *d, struct err_at *at)
{
	struct json_list l;
	int rc = resolvers_of(c, &l);

	return rc < 0 ? rc
		      : coord_dns_edit_split(d, verb, c->req.name,
				verb == COORD_DNS_REMOVE && !l.n ? NULL : &l, c->mem, at);
}

static int edit_search(
	struct admin_call *c, enum coord_dns_verb verb, struct coord_dns *d, struct err_at *at)
{
	return coord_dns_edit_search(d, verb, &c->req.values, c->mem, at);
}

/* "NAME ADDRESS": many at once. */
static int record_of(struct admin_call *c, const char *text, struct tc_dns_record *ret)
{
	size_t name = strcspn(text, " ");

	*ret = (struct tc_dns_record){ .name = arena_strndup(c->mem, text, name),
		.value = text[name] ? text + name + 1 : NULL };
	return ret->name ? 0 : -ENOMEM;
}

/* One record for each value; without a value all of the name. Without a name each value has its own. */
static int records_of(struct admin_call *c, enum coord_dns_verb verb, struct json_list *ret)
{
	size_t n = c->req.values.n;
	struct tc_dns_record *v = arena_array(c->mem, n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i <= n; i++)
		v[i] = (struct tc_dns_record){ .name = c->req.name,
			.type = c->req.type,
			.value = i < n ? *JSON_AT(c->req.values, const char *, i) : NULL };
	for (size_t i = 0; i < n && !c->req.name; i++)
		if (record_of(c, v[i].value, &v[i]) < 0)
			return -ENOMEM;
	if (!n && verb == COORD_DNS_REMOVE)
		n = 1;
	*ret = json_list_of(v, n);
	return 0;
}

static int edit_records(
	struct admin_call *c, enum coord_dns_verb verb, struct coord_dns *d, struct err_at *at)
{
	struct json_list l;
	int rc = records_of(c, verb, &l);

	return rc < 0 ? rc : coord_dns_edit_records(d, verb, &l, c->mem, at);
}

/* "add", "remove" or "set" of one part. */
static int change(
	struct http_request *q, int (*edit)(struct admin_call *c, enum coord_dns_verb verb,
					struct coord_dns *d, struct err_at *at))
{
	struct admin_call *c = q->call;
	struct err_at at = { 0 };
	enum coord_dns_verb verb = COORD_DNS_ADD;
	struct coord_dns d;
	int rc = verb_of(c, &verb);

	if (rc == 0)
		rc = copy(c, &d);
	if (rc == 0)
		rc = edit(c, verb, &d, &at);
	return take(c, &d, rc, &at);
}

int admin_dns_nameservers(struct http_request *q)
{
	return change(q, edit_nameservers);
}

int admin_dns_split(struct http_request *q)
{
	return change(q, edit_split);
}

int admin_dns_search(struct http_request *q)
{
	return change(q, edit_search);
}

int admin_dns_records(struct http_request *q)
{
	return change(q, edit_records);
}

int admin_dns_switch(struct http_request *q)
{
	struct admin_call *c = q->call;
	char name[WORD_MAX], word[WORD_MAX];
	struct err_at at = { 0 };
	struct coord_dns d;
	int rc = copy(c, &d);
	bool on;

	if (rc < 0)
		return rc;
	http_request_text(q, "name", name, sizeof(name));
	http_request_text(q, "verb", word, sizeof(word));
	on = !strcmp(word, "on");
	if (!on && strcmp(word, "off") != 0)
		return admin_say(c, -ERR_BAD_VALUE, "it is on or off, not \"%s\"", word);
	if (!strcmp(name, "magic"))
		d.magic_off = !on;
	else if (!strcmp(name, "override"))
		d.override_off = !on;
	else if (!strcmp(name, "wildcard"))
		d.wildcard = on;
	else if (!strcmp(name, "certificates"))
		d.certificates = on;
	else
		return admin_say(c, -ENOENT,
			"\"%s\" is no switch: magic, override, wildcard or certificates", name);
	return take(c, &d, 0, &at);
}

int admin_dns_preview(struct http_request *q)
{
	static const char *const words[] = { [COORD_DNS_NOTHING] = "nobody",
		[COORD_DNS_DEVICE] = "device",
		[COORD_DNS_RECORD] = "records",
		[COORD_DNS_SPLIT] = "split",
		[COORD_DNS_GLOBAL] = "global",
		[COORD_DNS_SYSTEM] = "system" };
	struct admin_call *c = q->call;
	const struct coord_node_doc *viewer = c->req.src ? hub_node(c->hub, c->req.src) : NULL;
	struct coord_dns_preview p;
	struct admin_dns_preview doc;
	struct err_at at = { 0 };
	int rc;

	if (c->req.src && !viewer)
		return admin_say(c, -ENOENT,
			"no device \"%s\"; \"warren-hub nodes list\" shows all", c->req.src);
	rc = coord_dns_preview(
		c->hub->tailnet, c->req.name, viewer ? viewer->id : 0, c->mem, &p, &at);
	if (rc < 0)
		return at.text[0] ? admin_say(c, rc, "%s", at.text) : rc;
	doc = (struct admin_dns_preview){ .name = p.name,
		.answers = words[p.how],
		.suffix = p.suffix,
		.device = p.node ? p.node->name : NULL,
		.hidden = p.hidden,
		.addresses = p.values,
		.nameservers = p.resolvers };
	doc.nameservers.present = true;
	return admin_reply(c, &admin_dns_preview_type, &doc);
}
