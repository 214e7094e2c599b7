/* Requests for one map: they are nobody's stream, and a device that does not read them keeps few. */
#include "core/ctlserver/world.h"

#include <errno.h>

int once_begin(struct ctl *c, const struct tc_map_request *r, struct node *n, void *owner, struct ctl_poll **ret)
{
	struct ctl_poll *p;

	if (n->n_once >= CTL_ONCE_MAX)
		return poll_refuse(c, owner, 429, "too many maps asked for at once\n");
	p = poll_new(c, r, NULL, owner);
	if (!p)
		return -ENOMEM;
	p->once_of = n->doc.id;
	n->n_once++;
	*ret = p;
	return 0;
}

void once_end(const struct ctl_poll *p)
{
	struct node *n = p->once_of ? node_by_id(p->ctl, p->once_of) : NULL;

	if (n)
		n->n_once--;
}
