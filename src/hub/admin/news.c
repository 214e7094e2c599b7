/*
 * Devices that have changed, for pages of the console that keep a list fresh. Open pages are told together that something has changed, and ask
 * within the same seconds: between two such ticks the same question has the same answer, which is made once. It may then lack what came since
 * the tick; the next one tells of that.
 */
#include "hub/admin/admin.h"
#include "hub/admin/internal.h"
#include "http/router/shared.h"

#include <errno.h>
#include <stdlib.h>

enum { KEPT_MAX = 8 };

struct admin_news_kept {
	uint64_t tick;
	int64_t changed_by_people; /* after a change of their own they want to see it */
	struct {
		uint64_t since;
		struct http_shared *answer;
	} v[KEPT_MAX];
	size_t n;
};

static void forget(struct admin_news_kept *k)
{
	while (k->n)
		http_shared_put(k->v[--k->n].answer);
}

struct admin_news_kept *admin_news_free(struct admin_news_kept *k)
{
	if (k)
		forget(k);
	free(k);
	return NULL;
}

/* NULL: no page is open, or there is no memory: then each answer is made anew. */
static struct admin_news_kept *kept_now(struct hub *h)
{
	int64_t people = audit_last(h->audit);
	struct admin_news_kept *k;

	if (!h->pages_tick)
		return NULL;
	if (!h->news)
		h->news = calloc(1, sizeof(*h->news));
	k = h->news;
	if (k && (k->tick != h->pages_tick || k->changed_by_people != people)) {
		forget(k);
		k->tick = h->pages_tick;
		k->changed_by_people = people;
	}
	return k;
}

static struct http_shared *find(const struct admin_news_kept *k, uint64_t since)
{
	for (size_t i = 0; k && i < k->n; i++)
		if (k->v[i].since == since)
			return k->v[i].answer;
	return NULL;
}

/* The engine has them in the order of their changes. */
static int collect(struct admin_call *c, uint64_t since, struct admin_news *doc)
{
	const struct tailnet *t = c->hub->tailnet;
	struct coord_stats s;

	coord_stats(t, &s);
	*doc = (struct admin_news){ .all = !since || since > s.changes,
		.changes = (int64_t)s.changes,
		.total = (int64_t)s.nodes,
		.nodes.present = true };
	for (const struct coord_node_doc *d = NULL; (d = coord_node_before(t, d));) {
		struct admin_node *to;

		if (!doc->all && coord_node_changed(d) <= since)
			break;
		to = json_list_add(&doc->nodes, c->mem, sizeof(*to));
		if (!to || admin_node_doc(c, d, to) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int make(struct admin_call *c, uint64_t since, struct http_shared **ret)
{
	struct admin_news doc;
	struct buf b;
	int rc = collect(c, since, &doc);

	buf_init(&b, ADMIN_ANSWER_MAX);
	if (rc == 0)
		rc = json_encode(&admin_news_type, &doc, &b);
	*ret = rc == 0 ? http_shared_new(buf_view(&b)) : NULL;
	buf_fini(&b);
	return rc < 0 ? rc : *ret ? 0 : -ENOMEM;
}

int admin_nodes_changed(struct http_request *q)
{
	struct admin_call *c = q->call;
	uint64_t since = (uint64_t)MAX_OF(c->req.changes, 0);
	struct admin_news_kept *k = kept_now(c->hub);
	struct http_shared *answer = find(k, since);
	bool made = !answer, keep = made && k && k->n < KEPT_MAX;
	int rc = made ? make(c, since, &answer) : 0;

	if (rc < 0)
		return rc;
	if (keep) {
		k->v[k->n].since = since;
		k->v[k->n++].answer = answer;
	}
	rc = http_reply_send_shared(q->reply, "application/json", admin_headers, answer);
	if (made && !keep)
		http_shared_put(answer);
	return rc;
}
