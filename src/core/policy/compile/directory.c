/* core/policy/compile: the records of users and nodes: look-ups and places. What a change of one means is decided above. */
#include "core/policy/compile/internal.h"

#include <errno.h>

void node_rec_free(struct node_rec *n)
{
	if (n)
		free(n->mem);
	free(n);
}

void user_rec_free(struct user_rec *u)
{
	if (!u)
		return;
	free(u->login);
	free(u->name);
	free(u->provider_id);
	u32s_fini(&u->nodes);
	free(u);
}

struct node_rec *directory_node(const struct policy_directory *w, int64_t id)
{
	struct map_node *n = map_find(&w->nodes, &id, sizeof(id));

	return n ? container_of(n, struct node_rec, by_id) : NULL;
}

struct user_rec *directory_user(const struct policy_directory *w, int64_t id)
{
	struct map_node *n = map_find(&w->users, &id, sizeof(id));

	return n ? container_of(n, struct user_rec, by_id) : NULL;
}

struct node_rec *directory_node_at(const struct policy_directory *w, struct ipaddr ip)
{
	struct map_node *n = map_find(&w->addrs, &ip, sizeof(ip));

	if (!n)
		return NULL;
	return ip.family == 4 ? container_of(n, struct node_rec, by_ip4)
			      : container_of(n, struct node_rec, by_ip6);
}

bool node_rec_is_exit(const struct node_rec *n)
{
	return n->n_routes > n->n_subnets;
}

int directory_take_slot(
	void ***at, uint32_t *n, size_t *cap, struct u32s *free_slots, uint32_t *ret)
{
	int rc;

	if (free_slots->n) {
		*ret = free_slots->v[--free_slots->n];
		return 0;
	}
	rc = plan_room(at, *n, cap, sizeof(**at));
	if (rc < 0)
		return rc;
	(*at)[*n] = NULL;
	*ret = (*n)++;
	return 0;
}

int directory_user_create(struct policy_directory *w, int64_t id, struct user_rec **ret)
{
	struct user_rec *u = calloc(1, sizeof(*u));
	int rc;

	if (!u)
		return -ENOMEM;
	u->id = id;
	rc = directory_take_slot((void ***)&w->user_at, &w->n_user_slots, &w->cap_user_slots,
		&w->free_users, &u->slot);
	if (rc == 0) {
		rc = map_insert(&w->users, &u->by_id, &u->id, sizeof(u->id));
		if (rc < 0 && u32s_push(&w->free_users, u->slot) < 0)
			w->user_at[u->slot] = NULL; /* a slot is lost; memory is out anyway */
	}
	if (rc < 0) {
		user_rec_free(u);
		return rc;
	}
	w->user_at[u->slot] = u;
	*ret = u;
	return 0;
}
