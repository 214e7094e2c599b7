#include "core/netmap/parts.h"

#include "base/text/text.h"

#include <errno.h>
#include <stdlib.h>

/* A region that is null, as some hubs sent, is none. */
static int without_nulls(const struct json_map *in, struct arena *a, struct json_map *ret)
{
	struct json_pair *v = arena_array(a, in->n, sizeof(*v));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < in->n; i++)
		if (((const struct tc_derp_region *)in->v[i].value)->id)
			v[n++] = in->v[i];
	*ret = (struct json_map){ .v = v, .n = n, .present = true };
	return 0;
}

int part_derp(const struct tc_derp_map *held, const struct tc_derp_map *in, struct arena *a,
	struct tc_derp_map *ret)
{
	*ret = held ? *held : (struct tc_derp_map){ 0 };
	if (in->home_params && (!ret->home_params || in->home_params->region_score.present))
		ret->home_params = in->home_params;
	if (!in->regions.present)
		return 0;
	ret->omit_default_regions = in->omit_default_regions;
	return without_nulls(&in->regions, a, &ret->regions);
}

static bool is_null(const struct json_pair *p)
{
	return !*(const struct tc_display_message *const *)p->value;
}

static int by_key(const void *x, const void *y)
{
	return strcmp(((const struct json_pair *)x)->key, ((const struct json_pair *)y)->key);
}

int part_display(const struct json_map *held, const struct json_map *in, struct arena *a,
	struct json_map *ret)
{
	size_t had = held ? held->n : 0, n = 0;
	struct json_pair *v = arena_array(a, had + in->n, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < in->n; i++)
		if (!strcmp(in->v[i].key, "*") && is_null(&in->v[i]))
			had = 0;
	for (size_t i = 0; i < had; i++)
		if (!json_map_find(in, held->v[i].key))
			v[n++] = held->v[i];
	for (size_t i = 0; i < in->n; i++)
		if (!is_null(&in->v[i]))
			v[n++] = in->v[i];
	if (n > NETMAP_DISPLAY_MAX)
		return -ERR_TOO_MANY;
	qsort(v, n, sizeof(*v), by_key);
	*ret = (struct json_map){ .v = v, .n = n, .present = true };
	return 0;
}

/* "127.3.3.40:12", the older way to tell the home region. */
static int64_t region_of(const char *text)
{
	static const char head[] = "127.3.3.40:";
	size_t n = sizeof(head) - 1;
	uint64_t id;

	if (!text || strncmp(text, head, n) != 0 ||
		text_u64(text + n, strlen(text + n), UINT16_MAX, &id) < 0)
		return 0;
	return (int64_t)id;
}

static int fold_capabilities(struct tc_node *n, struct arena *a)
{
	struct json_map *m = &n->cap_map;
	struct json_pair *v = arena_array(a, m->n + n->capabilities.n, sizeof(*v));
	size_t k = m->n;

	if (!v)
		return -ENOMEM;
	if (k)
		memcpy(v, m->v, k * sizeof(*v));
	for (size_t i = 0; i < n->capabilities.n; i++) {
		const char *name = *JSON_AT(n->capabilities, const char *, i);

		if (json_map_find(m, name))
			continue;
		v[k].key = name;
		v[k].value = arena_new(a, struct json_list);
		if (!v[k++].value)
			return -ENOMEM;
	}
	*m = (struct json_map){ .v = v, .n = k, .present = true };
	return 0;
}

int part_node(struct tc_node *n, struct arena *a)
{
	if (!n->home_derp)
		n->home_derp = region_of(n->derp);
	n->derp = NULL;
	if (!n->allowed_ips.present || n->unsigned_peerapi_only)
		n->allowed_ips = n->addresses;
	return n->capabilities.n ? fold_capabilities(n, a) : 0;
}
