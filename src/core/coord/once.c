/* Requests for one map: they are nobody's stream, and a device that does not read them keeps few. */
#include "core/coord/internal.h"

#include <errno.h>

int once_begin(struct tailnet *c, const struct tc_map_request *r, struct coord_node *n, void *owner,
	struct coord_poll **ret)
{
	struct coord_poll *p;

	if (n->n_once >= COORD_ONCE_MAX)
		return poll_refuse(c, owner, 429, "too many maps asked for at once\n");
	p = poll_new(c, r, NULL, owner);
	if (!p)
		return -ENOMEM;
	p->once_of = n->doc.id;
	n->n_once++;
	poll_begin_anew(p);
	*ret = p;
	return 0;
}

void once_end(const struct coord_poll *p)
{
	struct coord_node *n = p->once_of ? coord_node_by_id(p->tailnet, p->once_of) : NULL;

	if (n)
		n->n_once--;
}
