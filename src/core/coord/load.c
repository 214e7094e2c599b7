/* What is stored comes into memory, also what hubs of before have stored as it came. */
#include "core/coord/internal.h"

#include <errno.h>

struct load {
	struct tailnet *c;
	enum coord_kind kind;
	int64_t id; /* the last one */
};

/*
 * What a device said of itself, and a hub of before has stored as it came, may be what nobody can read. It will say it again, so the
 * document ends before that. False: that is not there.
 */
static bool without_hostinfo(char *text)
{
	char *at = text ? strstr(text, ",\"hostinfo\":")
			: NULL; /* in a text the quotes would be escaped */

	if (at)
		memcpy(at, "}", 2);
	return at != NULL;
}

static bool is_text(const char *text, size_t max)
{
	return text && *text && strlen(text) <= max;
}

/* What the rest relies on. A person may have written the document. */
static bool is_usable(enum coord_kind kind, const union stored *u)
{
	switch (kind) {
	case COORD_USER:
		return is_text(u->user.name, USER_NAME_MAX);
	case COORD_NODE:
		return is_text(u->node.name, NODE_NAME_MAX) && addresses_are_ours(&u->node);
	case COORD_KEY:
		return u->key.hint && u->key.hash && strlen(u->key.hash) == 64;
	case COORD_META:
		return u->meta.next_host >= 0 && u->meta.next_host < HOSTS_MAX;
	case COORD_SETTINGS:
	case COORD_POLICY:
	case COORD_DNS: /* dns_load judges it */
	case COORD_N_KINDS:
	case COORD_API_TOKEN:
	case COORD_AUDIT:
		break;
	}
	return true;
}

int stored_decode(struct tailnet *c, enum coord_kind kind, struct view doc, union stored *ret,
	struct arena *mem)
{
	static const struct json_type *const types[] = { &coord_user_type, &coord_node_doc_type,
		&coord_key_type, &coord_meta_type, &coord_settings_type, &coord_policy_doc_type,
		&coord_dns_type };
	char *text = arena_strndup(mem, doc.p, doc.len);
	int rc = text ? json_decode(types[kind], text, doc.len, ret, mem, NULL) : -ENOMEM;
	bool cut = rc < 0 && kind == COORD_NODE && without_hostinfo(text);

	if (cut)
		rc = json_decode(types[kind], text, strlen(text), ret, mem, NULL);
	if (rc == 0 && !is_usable(kind, ret))
		rc = -ERR_BAD_VALUE;
	if (rc == 0 && kind == COORD_NODE)
		rc = clean_stored(c, &ret->node, mem);
	return rc < 0 ? rc : rc == 1 || cut;
}

void stored_take_meta(struct tailnet *c, const struct coord_meta *m)
{
	c->meta.next_id = MAX_OF(c->meta.next_id, m->next_id);
	c->meta.next_host = m->next_host;
	if (m->tailnet_id)
		snprintf(c->tailnet_id, sizeof(c->tailnet_id), "%s", m->tailnet_id);
}

int stored_take_node(struct tailnet *c, struct coord_node_doc *doc, struct arena mem, bool unsaved)
{
	struct coord_node *n;
	int rc;

	c->meta.next_host = MAX_OF(c->meta.next_host, addresses_host(doc));
	doc->online = JSON_NO;
	name_judge_old(doc);
	unsaved |= addresses_judge_old(doc);
	rc = coord_node_insert(c, doc, mem, &n);
	if (rc < 0)
		return rc;
	n->unsaved = unsaved;
	n->changed = n->changed_whole = n->group->changed = ++c->seq;
	return 0;
}

/* Of the others the memory is not needed any more. */
static int take_other(struct tailnet *c, enum coord_kind kind, const union stored *u)
{
	struct user *user;
	struct authkey *key;

	if (kind == COORD_META) {
		stored_take_meta(c, &u->meta);
		return 0;
	}
	if (kind == COORD_POLICY)
		return version_load(c, &u->policy);
	return kind == COORD_USER ? user_insert(c, &u->user, &user)
				  : authkey_insert(c, &u->key, &key);
}

static int load_one(void *ctx, int64_t id, struct view doc)
{
	struct load *l = ctx;
	struct tailnet *c = l->c;
	struct arena mem;
	union stored u;
	int rc;

	l->id = id;
	arena_init(&mem, STORED_MEM_MAX);
	rc = stored_decode(c, l->kind, doc, &u, &mem);
	if (rc >= 0 && (l->kind == COORD_USER || l->kind == COORD_NODE || l->kind == COORD_KEY))
		c->meta.next_id = MAX_OF(c->meta.next_id, id);
	if (rc >= 0 && l->kind == COORD_NODE)
		return stored_take_node(c, &u.node, mem, rc == 1);
	if (rc >= 0 && l->kind == COORD_SETTINGS) {
		c->settings = u.settings;
		c->settings_mem = mem;
		return 0;
	}
	if (rc >= 0 && l->kind == COORD_DNS)
		return dns_load(c, &u.dns, mem);
	if (rc >= 0)
		rc = take_other(c, l->kind, &u);
	arena_fini(&mem);
	return rc;
}

int coord_load(struct tailnet *c, struct err_at *at)
{
	struct coord_store *s = c->cfg.store;
	int rc = 0;

	for (int kind = COORD_USER; kind < COORD_N_KINDS && rc == 0; kind++) {
		struct load l = { .c = c, .kind = (enum coord_kind)kind };

		rc = s->ops->load(s, l.kind, load_one, &l);
		if (rc < 0)
			err_at_set(at, 0, 0, "a stored document of kind %d (number %lld): %s", kind,
				(long long)l.id, err_text(rc));
	}
	return rc;
}
