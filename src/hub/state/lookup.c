/* What a word of a person means. */
#include "base/text/text.h"
#include "hub/state/state.h"

const struct coord_user *hub_user(const struct hub *h, const char *name)
{
	return name && *name ? coord_user_find(h->tailnet, name)
			     : coord_user_next(h->tailnet, NULL);
}

const struct coord_node_doc *hub_node(const struct hub *h, const char *word)
{
	char name[256];
	size_t len = strlen(word), domain = strlen(h->o->base_domain);
	uint64_t id;

	if (text_u64(word, len, INT64_MAX, &id) == 0 && coord_node_find(h->tailnet, (int64_t)id))
		return coord_node_find(h->tailnet, (int64_t)id);
	if (len && word[len - 1] == '.')
		len--;
	if (len > domain + 1 && word[len - domain - 1] == '.' &&
		text_ieq(word + len - domain, domain, h->o->base_domain, domain))
		len -= domain + 1;
	if (len >= sizeof(name))
		return NULL;
	for (size_t i = 0; i < len; i++)
		name[i] = ascii_lower(word[i]);
	name[len] = 0;
	return coord_node_named(h->tailnet, name);
}

size_t hub_waiting(const struct hub *h)
{
	size_t n = 0;

	for (const struct coord_node_doc *d = NULL; (d = coord_node_next(h->tailnet, d));)
		n += d->unapproved;
	return n;
}
