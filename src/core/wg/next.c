/* What came out is taken. Staged packets are sealed only now, one by one: each lies in memory of its own. */
#include "core/wg/internal.h"

#include <stdlib.h>

bool wg_next(struct wg_device *d, struct wg_out *ret)
{
	struct queue *q = &d->queue;
	struct queued *head;

	free(q->staged);
	q->staged = NULL;
	while ((head = wg_queue_head(d))) {
		*ret = head->out;
		if (!head->staged) {
			wg_queue_pop(d);
			return true;
		}
		q->staged = wg_send_next_staged(d, ret->peer, head->at, &q->staged_pkt);
		if (q->staged) {
			ret->pkt = &q->staged_pkt;
			ret->n = 1;
			return true;
		}
		wg_queue_pop(d);
	}
	return false;
}
