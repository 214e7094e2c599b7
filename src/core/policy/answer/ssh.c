/* core/policy/answer: SSH rules for a node as the one that is logged in to. Rules with a check go first;
 * the client takes the first match. */
#include "core/policy/answer/internal.h"
#include "base/text/text.h"
#include "proto/json/json.h"

#include <errno.h>

enum { SSH_POLICY_MAX = 16 << 20, RECORDER_PORT = 80 };

struct ssh_writer {
	struct policy_plan *p;
	const struct node_rec *n;
	struct node_class *c;
	const char *check_url;
	struct buf *out;
	bool first;
};

/* The local name of a user that a rule lets in by the first part of the e-mail address; false when
 * it has none. */
static bool local_name(const struct ssh_rule *r, const struct user_rec *u, struct view *ret)
{
	const char *at = u && u->known && u->login ? strrchr(u->login, '@') : NULL;

	for (size_t i = 0; at && at > u->login && i < r->n_users; i++) {
		const char *domain = r->users[i].domain;

		if (domain && text_ieq(domain, strlen(domain), at + 1, strlen(at + 1))) {
			*ret = view_of(u->login, (size_t)(at - u->login));
			return true;
		}
	}
	return false;
}

static int by_owner(const void *a, const void *b)
{
	const struct node_rec *x = *(const struct node_rec *const *)a,
			      *y = *(const struct node_rec *const *)b;
	int64_t ux = x->user ? x->user->id : INT64_MAX, uy = y->user ? y->user->id : INT64_MAX;

	if (ux != uy)
		return ux < uy ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* The nodes of a set, by the id of their user; tagged ones last. */
static int source_nodes(const struct policy_plan *p, const struct addr_set *s,
	const struct node_rec ***ret, size_t *ret_n)
{
	const struct node_rec **v;
	size_t n = 0;

	for (uint32_t i = 0; i < s->classes.n; i++)
		n += p->classes[s->classes.v[i]] ? p->classes[s->classes.v[i]]->nodes.n : 0;
	v = malloc((n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = 0; i < s->classes.n; i++) {
		const struct node_class *c = p->classes[s->classes.v[i]];

		for (uint32_t k = 0; c && k < c->nodes.n; k++)
			v[n++] = p->directory->node_at[c->nodes.v[k]];
	}
	qsort(v, n, sizeof(*v), by_owner);
	*ret = v;
	*ret_n = n;
	return 0;
}

static int put_principal(struct buf *b, struct ipaddr ip)
{
	char text[IPADDR_TEXT_MAX];

	if (!ip.family)
		return 0;
	return buf_printf(b, "%s{\"nodeIP\":\"%s\"}",
		buf_len(b) && buf_data(b)[buf_len(b) - 1] == '}' ? "," : "",
		ipaddr_format(ip, text));
}

static int put_principals(const struct policy_plan *p, uint32_t set, struct buf *b,
	const struct node_rec *const *v, size_t n)
{
	const struct addr_set *s = p->sets[set];
	int rc = buf_append_str(b, "[");

	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct node_class *c = plan_class(p, v[i]);

		if (addr_set_holds(p, s, c, v[i]->ip4))
			rc = put_principal(b, v[i]->ip4);
		if (rc == 0 && addr_set_holds(p, s, c, v[i]->ip6))
			rc = put_principal(b, v[i]->ip6);
	}
	return rc < 0 ? rc : buf_append_str(b, "]");
}

/* Addresses of the machines with the tags that record sessions. */
static int put_recorders(struct ssh_writer *w, const struct ssh_rule *r)
{
	char text[IPADDR_TEXT_MAX];
	bool first = true;
	int rc = 0;

	for (size_t i = 0; i < r->recorder.n; i++)
		for (uint32_t k = 0; k < w->p->directory->n_node_slots && rc == 0; k++) {
			const struct node_rec *n = w->p->directory->node_at[k];
			struct term tag = { .kind = TERM_TAG, .full = r->recorder.v[i].s };

			if (!n || !n->ip4.family || !plan_term_means_node(w->p, &tag, n))
				continue;
			rc = buf_printf(w->out, "%s\"%s:%d\"", first ? ",\"recorders\":[" : ",",
				ipaddr_format(n->ip4, text), RECORDER_PORT);
			first = false;
		}
	if (rc == 0 && !first)
		rc = buf_append_str(w->out, "]");
	if (rc == 0 && r->enforce_recorder)
		rc = buf_append_str(w->out,
			",\"onRecordingFailure\":{\"RejectSessionWithMessage\":\"The session cannot be recorded.\","
			"\"TerminateSessionWithMessage\":\"The session cannot be recorded any more.\"}");
	return rc;
}

static int put_action(struct ssh_writer *w, const struct ssh_rule *r)
{
	int rc = buf_append_str(w->out, ",\"action\":{");

	if (rc == 0 && r->check) {
		rc = buf_append_str(w->out, "\"holdAndDelegate\":");
		if (rc == 0)
			rc = json_encode_str(w->out, w->check_url, strlen(w->check_url));
	} else if (rc == 0) {
		rc = buf_append_str(w->out,
			"\"accept\":true,\"allowAgentForwarding\":true,\"allowLocalPortForwarding\":true,"
			"\"allowRemotePortForwarding\":true");
		if (rc == 0 && r->recorder.n)
			rc = put_recorders(w, r);
	}
	return rc < 0 ? rc : buf_append_str(w->out, "}");
}

static int put_env(struct ssh_writer *w, const struct ssh_rule *r)
{
	int rc = r->accept_env.n ? buf_append_str(w->out, ",\"acceptEnv\":[") : 0;

	for (size_t i = 0; i < r->accept_env.n && rc == 0; i++) {
		if (i)
			rc = buf_append_str(w->out, ",");
		if (rc == 0)
			rc = json_encode_str(
				w->out, r->accept_env.v[i].s, strlen(r->accept_env.v[i].s));
	}
	return rc == 0 && r->accept_env.n ? buf_append_str(w->out, "]") : rc;
}

/* users: JSON, or NULL for the one local name. */
static int put_rule(struct ssh_writer *w, const struct ssh_rule *r, struct view principals,
	const char *users, struct view local)
{
	int rc = buf_append_str(w->out, w->first ? "{\"principals\":" : ",{\"principals\":");

	w->first = false;
	if (rc == 0)
		rc = buf_append(w->out, principals.p, principals.len);
	if (rc == 0)
		rc = buf_append_str(w->out, ",\"sshUsers\":");
	if (rc == 0 && users) {
		rc = buf_append_str(w->out, users);
	} else if (rc == 0) {
		rc = buf_append_str(w->out, "{");
		for (int i = 0; i < 2 && rc == 0; i++) {
			rc = json_encode_str(w->out, (const char *)local.p, local.len);
			if (rc == 0)
				rc = buf_append_str(w->out, i ? "}" : ":");
		}
	}
	if (rc == 0)
		rc = put_action(w, r);
	if (rc == 0)
		rc = put_env(w, r);
	return rc < 0 ? rc : buf_append_str(w->out, "}");
}

/* The nodes of one user: the rule as written, and one for the user's local name. */
static int put_user_rules(struct ssh_writer *w, const struct ssh_compiled *s,
	const struct node_rec *const *v, size_t n)
{
	struct view local;
	struct buf b;
	int rc;

	if (n == 0)
		return 0;
	buf_init(&b, SSH_POLICY_MAX);
	rc = put_principals(w->p, s->src, &b, v, n);
	if (rc == 0)
		rc = put_rule(w, s->doc, buf_view(&b), s->users, view_of(NULL, 0));
	if (rc == 0 && v[0]->user && local_name(s->doc, v[0]->user, &local))
		rc = put_rule(w, s->doc, buf_view(&b), NULL, local);
	buf_fini(&b);
	return rc;
}

static int put_each_user(struct ssh_writer *w, const struct ssh_compiled *s,
	const struct node_rec *const *v, size_t n)
{
	int rc = 0;

	for (size_t i = 0, k; i < n && rc == 0; i = k) {
		for (k = i + 1; k < n && v[k]->user == v[i]->user;)
			k++;
		rc = put_user_rules(w, s, v + i, k - i);
	}
	return rc;
}

/* All sources in one rule; the text of the principals is kept for the next node. */
static int put_whole_rule(struct ssh_writer *w, struct ssh_compiled *s)
{
	const struct node_rec **v = NULL;
	struct buf b;
	size_t n = 0;
	int rc;

	if (!s->principals) {
		buf_init(&b, SSH_POLICY_MAX);
		rc = source_nodes(w->p, w->p->sets[s->src], &v, &n);
		if (rc == 0)
			rc = put_principals(w->p, s->src, &b, v, n);
		if (rc == 0 && buf_cstr(&b))
			s->principals = strdup(buf_cstr(&b));
		buf_fini(&b);
		free(v);
		if (!s->principals)
			return rc < 0 ? rc : -ENOMEM;
	}
	return put_rule(w, s->doc, view_of(s->principals, strlen(s->principals)), s->users,
		view_of(NULL, 0));
}

/* This node's person, as a source, on all its devices. */
static int put_self_user(struct ssh_writer *w, const struct ssh_compiled *s)
{
	const struct user_rec *u = w->n->user;
	const struct node_rec **v = malloc((u->nodes.n + 1) * sizeof(*v));
	size_t n = 0;
	int rc;

	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < u->nodes.n; i++) {
		const struct node_rec *m = w->p->directory->node_at[u->nodes.v[i]];
		const struct node_class *c = plan_class(w->p, m);

		if (c && node_class_in_set(c, s->src))
			v[n++] = m;
	}
	qsort(v, n, sizeof(*v), by_owner);
	rc = put_user_rules(w, s, v, n);
	free(v);
	return rc;
}

static bool has_sources(const struct policy_plan *p, const struct addr_set *s)
{
	for (uint32_t i = 0; i < s->classes.n; i++)
		if (p->classes[s->classes.v[i]] && p->classes[s->classes.v[i]]->nodes.n)
			return true;
	return false;
}

static int put_compiled(struct ssh_writer *w, struct ssh_compiled *s)
{
	bool self = s->self && w->n->user, here = s->dst != NONE && node_class_in_set(w->c, s->dst);
	const struct node_rec **v;
	size_t n;
	int rc = 0;

	if (!has_sources(w->p, w->p->sets[s->src]))
		return 0;
	if (self)
		rc = put_self_user(w, s);
	if (rc == 0 && here && !s->has_localpart)
		return put_whole_rule(w, s);
	if (rc == 0 && here) {
		rc = source_nodes(w->p, w->p->sets[s->src], &v, &n);
		if (rc == 0) {
			rc = put_each_user(w, s, v, n);
			free(v);
		}
		return rc;
	}
	/* Odd, but so the service does: with a localpart, sources get the rule for themselves too.
	 */
	if (rc == 0 && !self && s->has_localpart && node_class_in_set(w->c, s->src)) {
		const struct node_rec *only = w->n;

		rc = w->n->user ? put_self_user(w, s) : put_user_rules(w, s, &only, 1);
	}
	return rc;
}

int policy_ssh(struct policy_plan *p, int64_t node, const char *check_url, struct buf *out)
{
	struct ssh_writer w = { .p = p,
		.n = directory_node(p->directory, node),
		.check_url = check_url,
		.out = out,
		.first = true };
	int rc;

	w.c = w.n ? plan_class(p, w.n) : NULL;
	if (!w.c)
		return -ENOENT;
	if (p->doc->n_ssh == 0)
		return 1;
	rc = buf_append_str(out, "{\"rules\":[");
	for (int check = 1; check >= 0; check--)
		for (size_t i = 0; i < p->doc->n_ssh && rc == 0; i++)
			if (p->ssh[i].doc->check == check)
				rc = put_compiled(&w, &p->ssh[i]);
	return rc < 0 ? rc : buf_append_str(out, "]}");
}

/* ---- one question ---- */

/* sshUsers of a rule: does it let somebody log in under this local name? */
static bool users_have(const struct ssh_rule *r, const char *local_user)
{
	bool nonroot = false;

	for (size_t i = 0; i < r->n_users; i++) {
		const struct ssh_user *u = &r->users[i];

		nonroot |= strcmp(u->name, "autogroup:nonroot") == 0;
		if (!u->domain && strcmp(u->name, "autogroup:nonroot") != 0 &&
			strcmp(u->name, local_user) == 0)
			return true;
	}
	return nonroot && strcmp(local_user, "root") != 0;
}

static bool ssh_rule_lets(const struct policy_plan *p, const struct ssh_compiled *s,
	const struct node_rec *src, const struct node_class *cs, const struct node_rec *dst,
	const struct node_class *cd, const char *local_user)
{
	bool same_person = src->user && src->user == dst->user,
	     here = s->dst != NONE && node_class_in_set(cd, s->dst);
	bool odd = !here && !(s->self && dst->user) && s->has_localpart &&
		   node_class_in_set(cd, s->src) && (same_person || src == dst);
	struct view local;

	(void)p;
	if (!node_class_in_set(cs, s->src) || (!here && !odd && !(s->self && same_person)))
		return false;
	if (users_have(s->doc, local_user))
		return true;
	return local_name(s->doc, src->user, &local) &&
	       view_eq(local, view_of(local_user, strlen(local_user)));
}

enum policy_ssh_verdict policy_ssh_verdict(struct policy_plan *p, int64_t src, int64_t dst,
	const char *local_user, int64_t *ret_period)
{
	struct node_rec *ns = directory_node(p->directory, src),
			*nd = directory_node(p->directory, dst);
	struct node_class *cs = ns ? plan_class(p, ns) : NULL, *cd = nd ? plan_class(p, nd) : NULL;

	for (int check = 1; cs && cd && check >= 0; check--)
		for (size_t i = 0; i < p->doc->n_ssh; i++) {
			const struct ssh_compiled *s = &p->ssh[i];

			if (s->doc->check != check ||
				!ssh_rule_lets(p, s, ns, cs, nd, cd, local_user))
				continue;
			if (check)
				*ret_period = s->doc->period;
			return check ? POLICY_SSH_CHECK : POLICY_SSH_ACCEPT;
		}
	return POLICY_SSH_NO;
}
