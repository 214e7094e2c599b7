#include "hub/admin/internal.h"
#include "hub/policy_source/git.h"
#include "hub/policy_source/policy.h"

#include <errno.h>
#include <stdio.h>

static struct view request_text(const struct admin_call *c)
{
	const char *s = c->req.policy ? c->req.policy : "";

	return view_of(s, strlen(s));
}

/* What became of a policy: for the person, with its place. */
static int say_fault(struct admin_call *c, int rc, const struct policy_fault *f)
{
	struct admin_failure *v;

	c->at.line = f->at.line;
	c->at.column = f->at.column;
	if (rc < 0)
		return admin_say(c, rc, "%s", f->at.text[0] ? f->at.text : err_text(rc));
	v = arena_array(c->mem, f->n, sizeof(*v));
	for (size_t i = 0; v && i < f->n; i++)
		v[i] = (struct admin_failure){ .src = f->v[i].src,
			.text = f->v[i].text,
			.ssh = f->v[i].ssh,
			.line = f->v[i].line,
			.column = f->v[i].column };
	c->failures = json_list_of(v, v ? f->n : 0);
	return admin_say(c, -ERR_BAD_VALUE, "%zu of the policy's own tests %s", f->n_all,
		f->n_all == 1 ? "fails" : "fail");
}

static struct policy_fault *new_fault(struct admin_call *c)
{
	struct policy_fault *f = arena_new(c->mem, struct policy_fault);

	if (f)
		f->mem = c->mem;
	return f;
}

/* text NULL: without it. */
static int version_doc(struct admin_call *c, const struct coord_policy_version *v,
	const struct view *text, struct admin_policy *ret)
{
	*ret = (struct admin_policy){ .version = v->id,
		.author = v->author,
		.hash = v->hash,
		.created = v->created,
		.size = (int64_t)v->size,
		.current = v == coord_policy_current(c->hub->tailnet) };
	if (text)
		ret->policy = arena_strndup(c->mem, text->p, text->len);
	return text && !ret->policy ? -ENOMEM : 0;
}

int admin_policy(struct http_request *q)
{
	struct admin_call *c = q->call;
	const struct coord_policy_version *v = coord_policy_current(c->hub->tailnet);
	struct view text = policy_source_text(c->hub);
	struct admin_policy doc = { .size = (int64_t)text.len,
		.current = true,
		.policy = arena_strndup(c->mem, text.p, text.len) };
	int rc = v ? version_doc(c, v, &text, &doc) : doc.policy ? 0 : -ENOMEM;

	return rc < 0 ? rc : admin_reply(c, &admin_policy_type, &doc);
}

static int say_owned(struct admin_call *c)
{
	struct git_status s;

	git_status(c->hub, &s);
	return admin_say(c, -ERR_CONFLICT,
		"the policy comes from %.150s: change it there, or repeat this with --force; what is forced stays "
		"until the repository's head moves",
		s.url);
}

static int set(struct admin_call *c, struct view text, const char *author)
{
	struct policy_fault *f = new_fault(c);
	const struct coord_policy_version *v;
	struct admin_policy doc;
	int rc;

	if (!f)
		return -ENOMEM;
	rc = policy_source_set(c->hub, text, author,
		c->req.force ? POLICY_BY_FORCE : POLICY_BY_HAND,
		c->req.if_version > 0 ? c->req.if_version : COORD_POLICY_ANY_VERSION, f);
	if (rc == POLICY_OWNED_BY_GIT)
		return say_owned(c);
	if (rc == -ERR_CONFLICT && c->req.if_version > 0)
		return admin_say(c, rc, "another policy came in meanwhile: look at it first");
	if (rc != 0)
		return say_fault(c, rc, f);
	v = coord_policy_current(c->hub->tailnet);
	rc = version_doc(c, v, NULL, &doc);
	return rc < 0 ? rc : admin_reply(c, &admin_policy_type, &doc);
}

int admin_policy_set(struct http_request *q)
{
	struct admin_call *c = q->call;

	return set(c, request_text(c), c->req.author ? c->req.author : "admin");
}

static const struct coord_policy_version *find_version(const struct admin_call *c)
{
	const struct coord_policy_version *v = NULL;

	while ((v = coord_policy_next(c->hub->tailnet, v)))
		if (v->id == c->id)
			return v;
	return NULL;
}

static int no_version(struct admin_call *c)
{
	return admin_say(c, -ENOENT,
		"no version %lld of the policy is kept; \"warren-hub policy versions\" shows those that are",
		(long long)c->id);
}

int admin_policy_restore(struct http_request *q)
{
	struct admin_call *c = q->call;
	char author[300];
	struct view text;
	char *copy;

	if (!find_version(c) || coord_policy_text(c->hub->tailnet, c->id, &text) < 0)
		return no_version(c);
	copy = arena_strndup(c->mem, text.p, text.len);
	if (!copy)
		return -ENOMEM;
	snprintf(author, sizeof(author), "%s (back to %lld)",
		c->req.author ? c->req.author : "admin", (long long)c->id);
	return set(c, view_of(copy, text.len), author);
}

int admin_policy_versions(struct http_request *q)
{
	struct admin_call *c = q->call;
	const struct coord_policy_version *v = NULL;
	struct json_list list = { .present = true };

	while ((v = coord_policy_next(c->hub->tailnet, v))) {
		struct admin_policy *doc = json_list_add(&list, c->mem, sizeof(*doc));

		if (!doc || version_doc(c, v, NULL, doc) < 0)
			return -ENOMEM;
	}
	return admin_reply(c, &admin_policy_list, &list);
}

int admin_policy_version(struct http_request *q)
{
	struct admin_call *c = q->call;
	const struct coord_policy_version *v = find_version(c);
	struct admin_policy doc;
	struct view text;
	int rc;

	if (!v || coord_policy_text(c->hub->tailnet, v->id, &text) < 0)
		return no_version(c);
	rc = version_doc(c, v, &text, &doc);
	return rc < 0 ? rc : admin_reply(c, &admin_policy_type, &doc);
}

int admin_policy_check(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct policy_fault *f = new_fault(c);
	int rc = f ? policy_source_check(c->hub, request_text(c), f) : -ENOMEM;

	return rc == 0 ? admin_ok(c) : f ? say_fault(c, rc, f) : rc;
}

struct preview {
	struct admin_call *call;
	struct json_list list;
	int rc;
};

static void on_change(void *ctx, const struct policy_change *ch)
{
	struct preview *p = ctx;
	const struct coord_node_doc *n = coord_node_find(p->call->hub->tailnet, ch->node);
	struct admin_change *to = json_list_add(&p->list, p->call->mem, sizeof(*to));

	if (!to) {
		p->rc = -ENOMEM;
		return;
	}
	*to = (struct admin_change){ .node = ch->node,
		.name = n ? n->name : "",
		.gained = (int64_t)ch->peers_gained,
		.lost = (int64_t)ch->peers_lost,
		.filter = ch->what & POLICY_TOUCHED_FILTER,
		.ssh = ch->what & POLICY_TOUCHED_SSH };
}

int admin_policy_preview(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct preview p = { .call = c, .list.present = true };
	struct policy_fault *f = new_fault(c);
	int rc = f ? coord_policy_preview(c->hub->tailnet, request_text(c), on_change, &p, &f->at)
		   : -ENOMEM;

	if (rc == 0)
		rc = p.rc;
	if (rc < 0)
		return f ? say_fault(c, rc, f) : rc;
	return admin_reply(c, &admin_change_list, &p.list);
}

int admin_policy_can(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct policy_fault *f = new_fault(c);
	struct view text = request_text(c);
	struct coord_reach r;
	struct admin_reach doc;
	int rc = f ? 0 : -ENOMEM;

	if (rc == 0 && (c->req.proto < 0 || c->req.proto > 255 || c->req.port < 0 ||
			       c->req.port > 65535 || !c->req.src || !c->req.dst))
		return admin_say(c, -ERR_BAD_VALUE,
			"a source, a destination with its port, and a protocol of 0 to 255 are needed");
	if (rc == 0)
		rc = coord_policy_can_reach(c->hub->tailnet, c->req.policy ? &text : NULL,
			c->req.src, c->req.dst, (int)c->req.proto, (uint16_t)c->req.port, &r,
			&f->at);
	if (rc < 0)
		return f ? say_fault(c, rc, f) : rc;
	doc = (struct admin_reach){ .allowed = r.asked && r.allowed == r.asked,
		.pairs = r.asked > 1 ? (int64_t)r.asked : 0,
		.pairs_allowed = r.asked > 1 ? (int64_t)r.allowed : 0,
		.denied_src = r.denied_src,
		.denied_dst = r.denied_dst,
		.line = r.allowed ? r.by.line : 0 };
	if (r.allowed && r.by.line)
		doc.rule =
			arena_printf(c->mem, "%s[%zu]", r.by.grant ? "grants" : "acls", r.by.index);
	return admin_reply(c, &admin_reach_type, &doc);
}

static void git_doc(const struct hub *h, struct admin_git *ret)
{
	static const char *const states[] = { [GIT_NOT_YET] = "waiting",
		[GIT_APPLIED] = "applied",
		[GIT_REFUSED] = "refused",
		[GIT_OVERRIDDEN] = "overridden",
		[GIT_UNREACHABLE] = "unreachable" };
	struct git_status s;

	git_status(h, &s);
	*ret = (struct admin_git){ .state = states[s.state],
		.url = s.url,
		.branch = s.branch,
		.path = s.path,
		.commit = s.commit,
		.author = s.author,
		.subject = s.subject,
		.reason = s.reason,
		.read = s.pulled };
}

int admin_policy_status(struct http_request *q)
{
	struct admin_call *c = q->call;
	const struct coord_policy_version *v = coord_policy_current(c->hub->tailnet);
	struct policy_stats s;
	struct admin_git git;
	struct admin_policy_status doc;

	coord_policy_stats(c->hub->tailnet, &s);
	doc = (struct admin_policy_status){ .version = v ? v->id : 0,
		.author = v ? v->author : NULL,
		.created = v ? v->created : 0,
		.etag = policy_source_etag(c->hub),
		.rules = (int64_t)s.rules,
		.nodes = (int64_t)s.nodes,
		.classes = (int64_t)s.classes };
	if (c->hub->git) {
		git_doc(c->hub, &git);
		doc.git = &git;
	}
	return admin_reply(c, &admin_policy_status_type, &doc);
}

int admin_policy_pull(struct http_request *q)
{
	struct admin_call *c = q->call;

	if (!c->hub->git)
		return admin_say(c, -ERR_CONFLICT,
			"the policy does not come from Git: \"serve --policy-git URL\" makes it so");
	git_pull(c->hub);
	return admin_ok(c);
}
