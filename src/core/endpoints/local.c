/* Which of our interfaces' addresses are worth telling. */
#include "core/endpoints/internal.h"
#include "proto/tsaddr/tsaddr.h"

#include <stdlib.h>

enum { PER_PREFIX_MAX = 2 };

enum rank { NOT_TOLD, LOOPBACK, SECOND_BEST, GOOD };

static enum rank rank_of(struct ipaddr a)
{
	if (ipaddr_is_unspecified(a) || ipaddr_is_multicast(a) || tsaddr_is_tailscale(a))
		return NOT_TOLD;
	if (ipaddr_is_loopback(a))
		return LOOPBACK;
	if (a.family == 6 && ipaddr_is_link_local(a))
		return NOT_TOLD;
	if (ipaddr_is_link_local(a) || (a.family == 6 && ipaddr_is_private(a)))
		return SECOND_BEST;
	return GOOD;
}

static size_t n_of_prefix(const struct ipprefix *addrs, size_t before, struct ipprefix p)
{
	size_t n = 0;

	for (size_t i = 0; i < before; i++)
		n += ipprefix_eq(ipprefix_masked(addrs[i]), ipprefix_masked(p));
	return n;
}

static int compare_addresses(const void *a, const void *b)
{
	return ipaddr_cmp(*(const struct ipaddr *)a, *(const struct ipaddr *)b);
}

void endpoints_local_choose(struct endpoints_local *ret, const struct ipprefix *addrs, size_t n)
{
	enum rank best = NOT_TOLD;

	ret->n = 0;
	for (size_t i = 0; i < n; i++)
		best = MAX_OF(best, rank_of(addrs[i].ip));
	if (best == NOT_TOLD)
		return;
	for (size_t i = 0; i < n && ret->n < ENDPOINTS_LOCAL_MAX; i++)
		if (rank_of(addrs[i].ip) == best &&
			(addrs[i].ip.family == 4 ||
				n_of_prefix(addrs, i, addrs[i]) < PER_PREFIX_MAX))
			ret->v[ret->n++] = addrs[i].ip;
	qsort(ret->v, ret->n, sizeof(ret->v[0]), compare_addresses);
}

bool endpoints_local_has(const struct endpoints_local *l, struct ipaddr a)
{
	for (size_t i = 0; i < l->n; i++)
		if (ipaddr_eq(l->v[i], a))
			return true;
	return false;
}
