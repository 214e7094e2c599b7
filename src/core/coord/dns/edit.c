/*
 * One change of the settings: something is added, taken out, or put in the place of what was there. Whether the result holds together is
 * judged by coord_dns_clean; here only what is named has to be there, or not.
 */
#include "core/coord/dns/internal.h"

#include <errno.h>

static int not_there(const char *what, const char *name, const char *list, struct err_at *at)
{
	err_at_set(at, 0, 0, "there is no %s %s; \"warren-hub dns %s list\" shows what there is",
		what, name, list);
	return -ENOENT;
}

static int is_there(const char *what, const char *name, struct err_at *at)
{
	err_at_set(at, 0, 0, "the %s %s is there already", what, name);
	return -EEXIST;
}

static void take_out(struct json_list *l, size_t i, size_t size)
{
	char *v = l->v;

	memmove(v + i * size, v + (i + 1) * size, (l->n - i - 1) * size);
	l->n--;
}

static size_t find_resolver(const struct json_list *l, const char *addr)
{
	size_t i = 0;

	while (i < l->n && strcmp(JSON_AT(*l, struct tc_resolver, i)->addr, addr) != 0)
		i++;
	return i;
}

/* list: the command that shows them. */
static int edit_resolvers(struct json_list *to, enum coord_dns_verb verb,
	const struct json_list *from, const char *list, struct arena *a, struct err_at *at)
{
	int rc = 0;

	if (verb == COORD_DNS_SET)
		*to = json_list_of(NULL, 0);
	for (size_t i = 0; i < from->n && rc == 0; i++) {
		struct tc_resolver r, *added;
		size_t k;

		rc = dns_clean_resolver(JSON_AT(*from, struct tc_resolver, i), a, &r, at);
		if (rc < 0)
			return rc;
		k = find_resolver(to, r.addr);
		if (verb == COORD_DNS_REMOVE) {
			if (k == to->n)
				return not_there("resolver", r.addr, list, at);
			take_out(to, k, sizeof(r));
			continue;
		}
		if (k < to->n)
			return is_there("resolver", r.addr, at);
		added = json_list_add(to, a, sizeof(r));
		rc = added ? 0 : -ENOMEM;
		if (added)
			*added = r;
	}
	return rc;
}

int coord_dns_edit_resolvers(struct coord_dns *d, enum coord_dns_verb verb,
	const struct json_list *resolvers, struct arena *a, struct err_at *at)
{
	return edit_resolvers(&d->resolvers, verb, resolvers, "nameservers", a, at);
}

int coord_dns_edit_split(struct coord_dns *d, enum coord_dns_verb verb, const char *suffix,
	const struct json_list *resolvers, struct arena *a, struct err_at *at)
{
	static const struct json_list none;
	struct coord_dns_split *s;
	const char *name;
	size_t i = 0;
	int rc = dns_clean_name(suffix, "the suffix", a, &name, at);

	if (rc < 0)
		return rc;
	while (i < d->splits.n &&
		strcmp(JSON_AT(d->splits, struct coord_dns_split, i)->suffix, name) != 0)
		i++;
	if (verb == COORD_DNS_REMOVE && i == d->splits.n)
		return not_there("suffix", name, "split", at);
	if (verb == COORD_DNS_REMOVE && !resolvers) {
		take_out(&d->splits, i, sizeof(*s));
		return 0;
	}
	s = i < d->splits.n ? JSON_AT(d->splits, struct coord_dns_split, i)
			    : json_list_add(&d->splits, a, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->suffix = name;
	rc = edit_resolvers(&s->resolvers, verb, resolvers ? resolvers : &none, "split", a, at);
	if (rc == 0 && verb == COORD_DNS_REMOVE && !s->resolvers.n)
		take_out(
			&d->splits, i, sizeof(*s)); /* without any it would be answered by nobody */
	return rc;
}

int coord_dns_edit_search(struct coord_dns *d, enum coord_dns_verb verb,
	const struct json_list *names, struct arena *a, struct err_at *at)
{
	int rc = 0;

	if (verb == COORD_DNS_SET)
		d->search = json_list_of(NULL, 0);
	for (size_t i = 0; i < names->n && rc == 0; i++) {
		const char *name, **added;
		size_t k = 0;

		rc = dns_clean_name(
			*JSON_AT(*names, const char *, i), "the search domain", a, &name, at);
		if (rc < 0)
			return rc;
		while (k < d->search.n && strcmp(*JSON_AT(d->search, const char *, k), name) != 0)
			k++;
		if (verb == COORD_DNS_REMOVE) {
			if (k == d->search.n)
				return not_there("search domain", name, "search", at);
			take_out(&d->search, k, sizeof(name));
			continue;
		}
		if (k < d->search.n)
			return is_there("search domain", name, at);
		added = json_list_add(&d->search, a, sizeof(name));
		rc = added ? 0 : -ENOMEM;
		if (added)
			*added = name;
	}
	return rc;
}

/* What of the pattern is not said is any. */
static bool record_is(const struct tc_dns_record *r, const struct tc_dns_record *pattern)
{
	return !strcmp(r->name, pattern->name) &&
	       (!pattern->value || !strcmp(r->value, pattern->value)) &&
	       (!pattern->type || !strcmp(r->type, pattern->type));
}

static int remove_records(
	struct coord_dns *d, const struct tc_dns_record *given, struct arena *a, struct err_at *at)
{
	struct tc_dns_record r = { 0 };
	size_t n = d->records.n;
	int rc = given->value && *given->value
			 ? dns_clean_record(given, a, &r, at)
			 : dns_clean_name(given->name, "the record", a, &r.name, at);

	if (rc < 0)
		return rc;
	for (size_t i = d->records.n; i-- > 0;)
		if (record_is(JSON_AT(d->records, struct tc_dns_record, i), &r))
			take_out(&d->records, i, sizeof(r));
	return d->records.n < n ? 0 : not_there("record", r.name, "records", at);
}

int coord_dns_edit_records(struct coord_dns *d, enum coord_dns_verb verb,
	const struct json_list *records, struct arena *a, struct err_at *at)
{
	int rc = 0;

	if (verb == COORD_DNS_SET)
		d->records = json_list_of(NULL, 0);
	for (size_t i = 0; i < records->n && rc == 0; i++) {
		const struct tc_dns_record *given = JSON_AT(*records, struct tc_dns_record, i);
		struct tc_dns_record r, *added;

		if (verb == COORD_DNS_REMOVE) {
			rc = remove_records(d, given, a, at);
			continue;
		}
		rc = dns_clean_record(given, a, &r, at);
		if (rc < 0)
			return rc;
		for (size_t k = 0; k < d->records.n; k++)
			if (record_is(JSON_AT(d->records, struct tc_dns_record, k), &r))
				return is_there("record", r.name, at);
		added = json_list_add(&d->records, a, sizeof(r));
		rc = added ? 0 : -ENOMEM;
		if (added)
			*added = r;
	}
	return rc;
}
