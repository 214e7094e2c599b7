/* Answers to registrations: each waits until what it tells is durable. */
#include "core/coord/register/internal.h"

enum { ANSWER_MAX = 1 << 20 };

/* An answer that waits for the store. */
struct answer {
	struct list link;
	void *owner;
	int status;
	struct buf body;
	uint64_t hold; /* until this batch is durable */
};

void answer_later(
	struct tailnet *c, void *owner, int status, const struct json_type *t, const void *doc)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (!a)
		return; /* the client asks again */
	a->owner = owner;
	a->status = status;
	a->hold = c->cfg.store->promised;
	buf_init(&a->body, ANSWER_MAX);
	if (json_encode(t, doc, &a->body) < 0)
		a->status = 500;
	list_push_tail(&c->registrar->answers, &a->link);
}

void answers_text(struct tailnet *c, void *owner, int status, const char *text)
{
	struct answer *a = calloc(1, sizeof(*a));

	c->stats.bad_requests++;
	tailnet_tell_refusal(c, "a registration is refused", NULL, text);
	if (!a)
		return;
	a->owner = owner;
	a->status = status;
	a->hold = c->cfg.store->promised;
	buf_init(&a->body, ANSWER_MAX);
	if (buf_append_str(&a->body, text) < 0)
		a->status = 500;
	list_push_tail(&c->registrar->answers, &a->link);
}

void answer_error(
	struct tailnet *c, void *owner, const struct tc_register_request *req, const char *text)
{
	struct tc_register_response r = { .error = text };

	c->stats.refused++;
	tailnet_tell_refusal(c, "a registration is refused",
		req->hostinfo ? req->hostinfo->hostname : NULL, text);
	answer_later(c, owner, 200, &tc_register_response_type, &r);
}

void answer_success(struct tailnet *c, void *owner, const struct coord_node *n)
{
	struct tc_user u = map_node_profile(c, n->doc.tags.n ? 0 : n->doc.user);
	struct tc_register_response r = { .user = u, .login = u, .machine_authorized = true };

	c->stats.registrations++;
	answer_later(c, owner, 200, &tc_register_response_type, &r);
}

/* The client makes a fresh key and asks with that. */
void answer_expired(struct tailnet *c, void *owner)
{
	answer_later(c, owner, 200, &tc_register_response_type,
		&(struct tc_register_response){ .node_key_expired = true });
}

static void answer_free(struct answer *a)
{
	list_remove(&a->link);
	buf_fini(&a->body);
	free(a);
}

void answers_free(struct tailnet *c)
{
	list_for_each_safe(l, &c->registrar->answers)
		answer_free(container_of(l, struct answer, link));
}

void answers_cancel(struct tailnet *c, const void *owner)
{
	list_for_each_safe(l, &c->registrar->answers) {
		struct answer *a = container_of(l, struct answer, link);

		if (a->owner == owner)
			answer_free(a);
	}
}

/* In the order of their questions: what a later one waits for contains what an earlier one does. */
void registrar_answer(struct tailnet *c, int rc)
{
	while (!list_empty(&c->registrar->answers)) {
		struct answer *a = container_of(c->registrar->answers.next, struct answer, link);
		const char *type =
			a->status == 200 ? "application/json" : "text/plain; charset=utf-8";

		if (rc == 0 && a->hold > c->cfg.store->durable)
			break;
		list_remove(&a->link);
		if (rc < 0)
			c->cfg.on_answer(a->owner, 503, "text/plain; charset=utf-8",
				rc == -ERR_STORE ? VIEW_LIT("the hub cannot write its database\n")
						 : VIEW_LIT("the hub is out of memory\n"));
		else
			c->cfg.on_answer(a->owner, a->status, type, buf_view(&a->body));
		buf_fini(&a->body);
		free(a);
	}
}
