/* core/policy/compile: users as the owner tells them. */
#include "core/policy/compile/internal.h"

#include <errno.h>

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

int policy_user_put(struct policy_directory *w, const struct policy_user *doc)
{
	struct user_rec *u = directory_user(w, doc->id);
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
		rc = directory_user_create(w, doc->id, &u);
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
int policy_user_remove(struct policy_directory *w, int64_t id)
{
	struct user_rec *u = directory_user(w, id);
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
		user_rec_free(u);
	}
	return rc;
}
