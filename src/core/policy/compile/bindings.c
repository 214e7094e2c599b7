/* core/policy/compile: which users the names of a document mean, and what the directory cannot agree to. */
#include "core/policy/compile/internal.h"
#include "base/text/text.h"

#include <errno.h>

static bool domain_known(const struct policy_directory *w, const char *domain)
{
	for (size_t i = 0; i < w->n_domains; i++)
		if (text_ieq(w->domains[i], strlen(w->domains[i]), domain, strlen(domain)))
			return true;
	return w->n_domains == 0; /* an organisation that named none has all */
}

static int foreign(struct err_at *at, struct place where, const char *prefix, const char *domain)
{
	err_at_set(at, where.line, where.column,
		"%s%.60s is not associated with this Tailnet and cannot be used in user:*@<domain> expressions",
		prefix, domain);
	return -ERR_BAD_VALUE;
}

static int check_domains_of(const struct policy_directory *w, const struct terms *t,
	const char *prefix, struct err_at *at)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].kind == TERM_DOMAIN && !domain_known(w, t->v[i].text))
			return foreign(at, t->v[i].at, prefix, t->v[i].text);
	return 0;
}

static int check_domains(const struct policy_plan *p, struct err_at *at)
{
	const struct policy_doc *d = p->doc;
	const struct policy_directory *w = p->directory;
	int rc = 0;

	for (size_t i = 0; i < d->n_grants && rc == 0; i++) {
		rc = check_domains_of(w, &d->grants[i].src, "", at);
		if (rc == 0)
			rc = check_domains_of(w, &d->grants[i].dst, "", at);
	}
	for (size_t i = 0; i < d->n_acls && rc == 0; i++) {
		rc = check_domains_of(w, &d->acls[i].src, "", at);
		for (size_t k = 0; k < d->acls[i].n_dst && rc == 0; k++)
			rc = check_domains_of(
				w, &(struct terms){ .v = &d->acls[i].dst[k].term, .n = 1 }, "", at);
	}
	for (size_t i = 0; i < d->n_node_attrs && rc == 0; i++)
		rc = check_domains_of(w, &d->node_attrs[i].target, "", at);
	for (size_t i = 0; i < d->n_ssh && rc == 0; i++) {
		rc = check_domains_of(w, &d->ssh[i].src, "[ssh] ", at);
		for (size_t k = 0; k < d->ssh[i].n_users && rc == 0; k++)
			if (d->ssh[i].users[k].domain &&
				!domain_known(w, d->ssh[i].users[k].domain))
				rc = foreign(
					at, d->ssh[i].users[k].at, "", d->ssh[i].users[k].domain);
	}
	return rc;
}

static int ambiguous(const struct policy_plan *p, const struct atom *a, const struct user_rec *u,
	struct err_at *at)
{
	const struct user_rec *first = p->directory->user_at[a->bound];

	err_at_set(at, a->at.line, a->at.column,
		"multiple users found: token \"%.50s\" found: %lld, %lld; write the e-mail address",
		a->text, (long long)first->id, (long long)u->id);
	return -ERR_BAD_VALUE;
}

static int bind_user(struct policy_plan *p, const struct user_rec *u, const char *name,
	bool by_provider, enum policy_origin origin, struct err_at *at)
{
	uint32_t id = name ? plan_atom_find(p, ATOM_USER, name) : NONE;
	struct atom *a = id == NONE ? NULL : p->atoms[id];

	if (!a || a->bound == u->slot || (a->by_provider && !by_provider))
		return 0;
	if (a->bound != NONE && a->by_provider == by_provider && origin == POLICY_NEW)
		return ambiguous(p, a, u, at);
	if (a->bound == NONE || (by_provider && !a->by_provider)) {
		a->bound = u->slot;
		a->by_provider = by_provider;
		return u32s_push(&p->user_plans[u->slot].bound, id);
	}
	return 0;
}

/* The identity provider's name of a user goes before all others. */
static int bind_users(struct policy_plan *p, enum policy_origin origin, struct err_at *at)
{
	const struct policy_directory *w = p->directory;
	int rc = 0;

	for (uint32_t i = 0; i < w->n_user_slots && rc == 0; i++)
		if (w->user_at[i] && w->user_at[i]->known)
			rc = bind_user(
				p, w->user_at[i], w->user_at[i]->provider_id, true, origin, at);
	for (uint32_t i = 0; i < w->n_user_slots && rc == 0; i++) {
		const struct user_rec *u = w->user_at[i];

		if (!u || !u->known)
			continue;
		rc = bind_user(p, u, u->login, false, origin, at);
		if (rc == 0)
			rc = bind_user(p, u, u->name, false, origin, at);
	}
	return rc;
}

/* Someone who left may stay in rules; an attribute for nobody is a slip of the pen. */
static int check_targets(const struct policy_plan *p, struct err_at *at)
{
	for (size_t i = 0; i < p->doc->n_node_attrs; i++) {
		const struct terms *t = &p->doc->node_attrs[i].target;

		for (size_t k = 0; k < t->n; k++) {
			uint32_t id = t->v[k].kind == TERM_USER
					      ? plan_atom_find(p, ATOM_USER, t->v[k].text)
					      : NONE;

			if (id == NONE || p->atoms[id]->bound != NONE)
				continue;
			err_at_set(at, t->v[k].at.line, t->v[k].at.column,
				"user not found: \"%.60s\"; nobody has this name", t->v[k].full);
			return -ERR_BAD_VALUE;
		}
	}
	return 0;
}

int plan_check_names(struct policy_plan *p, enum policy_origin origin, struct err_at *at)
{
	int rc = bind_users(p, origin, at);

	if (rc < 0 || origin == POLICY_STORED)
		return rc;
	rc = check_domains(p, at);
	return rc < 0 ? rc : check_targets(p, at);
}
