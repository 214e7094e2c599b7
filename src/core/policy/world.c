/* core/policy: users and nodes as the owner tells them. */
#include "core/policy/plan.h"

#include <errno.h>

int policy_world_new(struct policy_world **ret, const struct policy_cfg *cfg)
{
	struct policy_world *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	memcpy(w->seed, cfg->seed, sizeof(w->seed));
	map_init(&w->users, w->seed);
	map_init(&w->nodes, w->seed);
	map_init(&w->addrs, w->seed);
	w->next_text_id = 1;
	w->domains = calloc(cfg->n_domains + 1, sizeof(*w->domains));
	for (size_t i = 0; w->domains && i < cfg->n_domains; i++) {
		w->domains[i] = strdup(cfg->domains[i]);
		if (!w->domains[i])
			break;
		w->n_domains++;
	}
	if (!w->domains || w->n_domains < cfg->n_domains) {
		policy_world_free(w);
		return -ENOMEM;
	}
	*ret = w;
	return 0;
}

static void user_free(struct user_rec *u)
{
	if (!u)
		return;
	free(u->login);
	free(u->name);
	free(u->provider_id);
	u32s_fini(&u->nodes);
	free(u);
}

struct policy_world *policy_world_free(struct policy_world *w)
{
	if (!w)
		return NULL;
	policy_plan_free(w->plan);
	for (uint32_t i = 0; i < w->n_node_slots; i++)
		world_node_free(w->node_at[i]);
	for (uint32_t i = 0; i < w->n_user_slots; i++)
		user_free(w->user_at[i]);
	for (size_t i = 0; i < w->n_domains; i++)
		free(w->domains[i]);
	free(w->domains);
	free(w->node_at);
	free(w->user_at);
	u32s_fini(&w->free_nodes);
	u32s_fini(&w->free_users);
	map_fini(&w->users);
	map_fini(&w->nodes);
	map_fini(&w->addrs);
	free(w);
	return NULL;
}

struct node_rec *world_node(const struct policy_world *w, int64_t id)
{
	struct map_node *n = map_find(&w->nodes, &id, sizeof(id));

	return n ? container_of(n, struct node_rec, by_id) : NULL;
}

struct user_rec *world_user(const struct policy_world *w, int64_t id)
{
	struct map_node *n = map_find(&w->users, &id, sizeof(id));

	return n ? container_of(n, struct user_rec, by_id) : NULL;
}

struct node_rec *world_node_at(const struct policy_world *w, struct ipaddr ip)
{
	struct map_node *n = map_find(&w->addrs, &ip, sizeof(ip));

	if (!n)
		return NULL;
	return ip.family == 4 ? container_of(n, struct node_rec, by_ip4)
			      : container_of(n, struct node_rec, by_ip6);
}

bool node_is_exit(const struct node_rec *n)
{
	return n->n_routes > n->n_subnets;
}

bool policy_node_exists(const struct policy_world *w, int64_t id)
{
	return world_node(w, id) != NULL;
}

size_t policy_n_nodes(const struct policy_world *w)
{
	return w->nodes.n_items;
}

int world_take_slot(void ***at, uint32_t *n, uint32_t *cap, struct u32s *free_slots, uint32_t *ret)
{
	if (free_slots->n) {
		*ret = free_slots->v[--free_slots->n];
		return 0;
	}
	if (*n == *cap) {
		uint32_t more = *cap ? *cap * 2 : 64;
		void **v = realloc(*at, more * sizeof(*v));

		if (!v)
			return -ENOMEM;
		*at = v;
		*cap = more;
	}
	(*at)[*n] = NULL;
	*ret = (*n)++;
	return 0;
}

int world_user_create(struct policy_world *w, int64_t id, struct user_rec **ret)
{
	struct user_rec *u = calloc(1, sizeof(*u));
	int rc;

	if (!u)
		return -ENOMEM;
	u->id = id;
	rc = world_take_slot((void ***)&w->user_at, &w->n_user_slots, &w->cap_user_slots,
		&w->free_users, &u->slot);
	if (rc == 0) {
		rc = map_insert(&w->users, &u->by_id, &u->id, sizeof(u->id));
		if (rc < 0 && u32s_push(&w->free_users, u->slot) < 0)
			w->user_at[u->slot] = NULL; /* a slot is lost; memory is out anyway */
	}
	if (rc < 0) {
		user_free(u);
		return rc;
	}
	w->user_at[u->slot] = u;
	*ret = u;
	return 0;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static int copy_text(const char *s, char **ret)
{
	*ret = NULL;
	if (!s || !*s)
		return 0;
	if (strlen(s) > POLICY_TEXT_MAX)
		return -ERR_BAD_VALUE;
	*ret = strdup(s);
	return *ret ? 0 : -ENOMEM;
}

int policy_user_put(struct policy_world *w, const struct policy_user *doc)
{
	struct user_rec *u = world_user(w, doc->id);
	char *login, *name = NULL, *provider_id = NULL;
	int rc;

	if (doc->id <= 0)
		return -ERR_BAD_VALUE;
	if (u && u->known && same_text(u->login, doc->login) && same_text(u->name, doc->name) &&
		same_text(u->provider_id, doc->provider_id) && u->role == doc->role)
		return 0;
	if (!u && w->users.n_items >= POLICY_USERS_MAX)
		return -ERR_TOO_MANY;
	rc = copy_text(doc->login, &login);
	if (rc == 0)
		rc = copy_text(doc->name, &name);
	if (rc == 0)
		rc = copy_text(doc->provider_id, &provider_id);
	if (rc == 0 && !u)
		rc = world_user_create(w, doc->id, &u);
	if (rc < 0) {
		free(login);
		free(name);
		free(provider_id);
		return rc;
	}
	free(u->login);
	free(u->name);
	free(u->provider_id);
	u->login = login;
	u->name = name;
	u->provider_id = provider_id;
	u->role = doc->role;
	u->known = true;
	return w->plan ? plan_user_changed(w->plan, u) : 0;
}

/* A user whose nodes are still there stays as somebody unknown: selectors do not find it any more.
 */
int policy_user_remove(struct policy_world *w, int64_t id)
{
	struct user_rec *u = world_user(w, id);
	int rc;

	if (!u || !u->known)
		return -ENOENT;
	free(u->login);
	free(u->name);
	free(u->provider_id);
	u->login = u->name = u->provider_id = NULL;
	u->role = POLICY_MEMBER;
	u->known = false;
	rc = w->plan ? plan_user_changed(w->plan, u) : 0;
	if (u->nodes.n == 0 && u32s_push(&w->free_users, u->slot) == 0) {
		map_remove(&w->users, &u->by_id);
		w->user_at[u->slot] = NULL;
		user_free(u);
	}
	return rc;
}

void policy_install(struct policy_world *w, struct policy_plan *p)
{
	if (w->plan)
		routes_inherit(p, w->plan);
	policy_plan_free(w->plan);
	w->plan = p;
	p->all_touched = true;
}

struct policy_plan *policy_installed(const struct policy_world *w)
{
	return w->plan;
}
