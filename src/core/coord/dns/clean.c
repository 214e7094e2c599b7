/* All settings together: each piece is clean, there are not too many, nothing is there twice, and nothing contradicts the base domain. */
#include "core/coord/dns/internal.h"

#include <errno.h>

const struct coord_dns_split *coord_dns_split_of(const struct coord_dns *d, const char *name)
{
	const struct coord_dns_split *best = NULL;

	for (size_t i = 0; i < d->splits.n; i++) {
		const struct coord_dns_split *s = JSON_AT(d->splits, struct coord_dns_split, i);

		if (coord_dns_is_below(name, s->suffix) &&
			(!best || strlen(s->suffix) > strlen(best->suffix)))
			best = s;
	}
	return best;
}

static int too_many(size_t n, size_t max, const char *what, struct err_at *at)
{
	if (n <= max)
		return 0;
	err_at_set(at, 0, 0, "these would be %zu %s; there can be %zu", n, what, max);
	return -ERR_TOO_MANY;
}

static int twice(const char *what, const char *name, struct err_at *at)
{
	err_at_set(at, 0, 0, "%s %s is there twice", what, name);
	return -EEXIST;
}

static int clean_resolvers(
	const struct json_list *in, struct arena *a, struct json_list *ret, struct err_at *at)
{
	struct tc_resolver *v = arena_array(a, in->n, sizeof(*v));
	int rc = too_many(in->n, COORD_DNS_RESOLVERS_MAX, "resolvers", at);

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < in->n && rc == 0; i++) {
		rc = dns_clean_resolver(JSON_AT(*in, struct tc_resolver, i), a, &v[i], at);
		for (size_t k = 0; k < i && rc == 0; k++)
			if (!strcmp(v[k].addr, v[i].addr))
				rc = twice("the resolver", v[i].addr, at);
	}
	*ret = json_list_of(v, in->n);
	ret->present = in->n > 0; /* as it is when it was stored and read */
	return rc;
}

static int clean_splits(const struct json_list *in, const char *base_domain, struct arena *a,
	struct json_list *ret, struct err_at *at)
{
	struct coord_dns_split *v = arena_array(a, in->n, sizeof(*v));
	int rc = too_many(in->n, COORD_DNS_SPLITS_MAX, "suffixes", at);

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < in->n && rc == 0; i++) {
		const struct coord_dns_split *s = JSON_AT(*in, struct coord_dns_split, i);

		rc = dns_clean_name(s->suffix, "the suffix", a, &v[i].suffix, at);
		if (rc == 0 && !strcmp(v[i].suffix, base_domain)) {
			err_at_set(at, 0, 0,
				"%s is the base domain of this tailnet: devices answer its names themselves; \"dns records add\" adds names to it",
				base_domain);
			rc = -ERR_BAD_VALUE;
		}
		if (rc == 0)
			rc = clean_resolvers(&s->resolvers, a, &v[i].resolvers, at);
		for (size_t k = 0; k < i && rc == 0; k++)
			if (!strcmp(v[k].suffix, v[i].suffix))
				rc = twice("the suffix", v[i].suffix, at);
	}
	*ret = json_list_of(v, in->n);
	return rc;
}

static int clean_search(const struct json_list *in, const char *base_domain, struct arena *a,
	struct json_list *ret, struct err_at *at)
{
	const char **v = arena_array(a, in->n, sizeof(*v));
	int rc = too_many(in->n, COORD_DNS_SEARCH_MAX, "search domains", at);

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < in->n && rc == 0; i++) {
		rc = dns_clean_name(
			*JSON_AT(*in, const char *, i), "the search domain", a, &v[i], at);
		if (rc == 0 && !strcmp(v[i], base_domain)) {
			err_at_set(at, 0, 0,
				"%s is the base domain of this tailnet: it is searched first, always",
				base_domain);
			rc = -ERR_BAD_VALUE;
		}
		for (size_t k = 0; k < i && rc == 0; k++)
			if (!strcmp(v[k], v[i]))
				rc = twice("the search domain", v[i], at);
	}
	*ret = json_list_of(v, in->n);
	return rc;
}

static int by_all(const void *pa, const void *pb)
{
	const struct tc_dns_record *a = pa, *b = pb;
	int k = strcmp(a->name, b->name);

	k = k ? k : strcmp(a->type, b->type);
	return k ? k : strcmp(a->value, b->value);
}

/* In one order, whatever order they were made in: of several of one name clients take the first. */
static int clean_records(
	const struct json_list *in, struct arena *a, struct json_list *ret, struct err_at *at)
{
	struct tc_dns_record *v = arena_array(a, in->n, sizeof(*v));
	int rc = too_many(in->n, COORD_DNS_RECORDS_MAX, "records", at);

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < in->n && rc == 0; i++)
		rc = dns_clean_record(JSON_AT(*in, struct tc_dns_record, i), a, &v[i], at);
	if (rc == 0 && in->n)
		qsort(v, in->n, sizeof(*v), by_all);
	for (size_t i = 1; i < in->n && rc == 0; i++)
		if (!by_all(&v[i - 1], &v[i]))
			rc = twice("the record", v[i].name, at);
	*ret = json_list_of(v, in->n);
	return rc;
}

int coord_dns_clean(const struct coord_dns *in, const char *base_domain, struct arena *a,
	struct coord_dns *ret, struct err_at *at)
{
	struct coord_dns d = *in;
	int rc = clean_resolvers(&in->resolvers, a, &d.resolvers, at);

	if (rc == 0)
		rc = clean_splits(&in->splits, base_domain, a, &d.splits, at);
	if (rc == 0)
		rc = clean_search(&in->search, base_domain, a, &d.search, at);
	if (rc == 0)
		rc = clean_records(&in->records, a, &d.records, at);
	if (rc == 0)
		*ret = d;
	return rc;
}
