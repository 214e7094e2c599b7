/* core/policy/compile: a directory and its installed plan, from beginning to end. */
#include "core/policy/compile/internal.h"

#include <errno.h>

int policy_directory_new(struct policy_directory **ret, const struct policy_cfg *cfg)
{
	struct policy_directory *w = calloc(1, sizeof(*w));

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
		policy_directory_free(w);
		return -ENOMEM;
	}
	*ret = w;
	return 0;
}

struct policy_directory *policy_directory_free(struct policy_directory *w)
{
	if (!w)
		return NULL;
	policy_plan_free(w->plan);
	for (uint32_t i = 0; i < w->n_node_slots; i++)
		node_rec_free(w->node_at[i]);
	for (uint32_t i = 0; i < w->n_user_slots; i++)
		user_rec_free(w->user_at[i]);
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

bool policy_node_exists(const struct policy_directory *w, int64_t id)
{
	return directory_node(w, id) != NULL;
}

void policy_install(struct policy_directory *w, struct policy_plan *p)
{
	if (w->plan)
		routes_inherit(p, w->plan);
	policy_plan_free(w->plan);
	w->plan = p;
	p->all_touched = true;
}

struct policy_plan *policy_installed(const struct policy_directory *w)
{
	return w->plan;
}
